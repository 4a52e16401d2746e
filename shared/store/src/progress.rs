//! A message's way forward that costs no money: to the wire, on hold, answered. Each fact is one conditional update.

use hantar_domain::ids::{Epoch, MessageId};
use hantar_domain::message::{Fact, Message, State, Step};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Applied, PortError};

use crate::history;
use crate::items::{Item, bytes, number, text, time};
use crate::line;
use crate::message::read;
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::{Write, Written};

/// How often a change begins anew because the message moved while it was looked at. It can move forward only so often.
pub(crate) const LOOKS: usize = 12;

/// Moves a message by `fact` from one of `from`. More may be set by `extra`, which begins with a comma.
pub(crate) fn step(place: &Place, from: &[State], fact: Fact, at: Timestamp, code: Option<&str>, extra: &str) -> Write {
    steps(place, from, &[], fact, at, code, extra)
}

/// The same, with steps noted before that the fact implies.
fn steps(
    place: &Place,
    from: &[State],
    implied: &[Fact],
    fact: Fact,
    at: Timestamp,
    code: Option<&str>,
    extra: &str,
) -> Write {
    let before = implied.iter().map(|fact| Step { state: fact.state(), at, code: None });
    let entered: Vec<_> = before.chain([Step { state: fact.state(), at, code: code.map(str::to_owned) }]).collect();
    let names: Vec<_> = (0..from.len()).map(|index| format!(":f{index}")).collect();
    let removed = if fact == Fact::Held { "" } else { " REMOVE hu" };
    let expression = format!("SET s = :s, u = :u, h = list_append(if_not_exists(h, :none), :h){extra}{removed}");
    let write = Write::update(place, expression)
        .when(format!("attribute_not_exists(o) AND s IN ({})", names.join(", ")))
        .with(":s", text(fact.state().word()))
        .with(":u", time(at))
        .with(":h", history::write(&entered))
        .with(":none", history::write(&[]));
    names.into_iter().zip(from).fold(write, |write, (name, state)| write.with(name, text(state.word())))
}

impl TenantStore {
    pub(crate) async fn to_the_wire(&self, id: MessageId, epoch: Epoch, at: Timestamp) -> Result<Applied, PortError> {
        let place = Place::message(self.account, id);
        let moved = step(&place, Fact::Dispatched.moves_from(), Fact::Dispatched, at, None, ", ep = :ep");
        let seen = match self.store.write(moved.with(":ep", number(epoch.0))).await? {
            Written::Done(item) => return changed(item.as_ref()),
            Written::Refused(None) => return Ok(Applied::Missing),
            Written::Refused(Some(item)) => read(&item)?,
        };
        if seen.state != State::Dispatched {
            return Ok(Applied::Unchanged(Box::new(seen)));
        }
        let restamped = Write::update(&place, "SET ep = :ep")
            .when("s = :s AND (attribute_not_exists(ep) OR ep <= :ep)")
            .with(":ep", number(epoch.0))
            .with(":s", text(State::Dispatched.word()));
        match self.store.write(restamped).await? {
            Written::Done(item) => unchanged(item.as_ref()),
            Written::Refused(None) => Ok(Applied::Missing),
            Written::Refused(Some(item)) => {
                let seen = read(&item)?;
                // Dispatched by a later owner: whoever asks has lost the device and must not write to a socket.
                if seen.state == State::Dispatched { Err(PortError::Conflict) } else { unchanged(Some(&item)) }
            }
        }
    }

    pub(crate) async fn keep_attached(&self, id: MessageId, attached: &[u8]) -> Result<bool, PortError> {
        let kept = Write::update(&Place::message(self.account, id), "SET ma = :ma")
            .when("s IN (:f0, :f1)")
            .with(":ma", bytes(attached))
            .with(":f0", text(State::Queued.word()))
            .with(":f1", text(State::Held.word()));
        Ok(self.store.write(kept).await?.is_done())
    }

    pub(crate) async fn put_on_hold(
        &self,
        id: MessageId,
        until: Timestamp,
        code: &str,
        at: Timestamp,
    ) -> Result<Applied, PortError> {
        let place = Place::message(self.account, id);
        let held = step(&place, Fact::Held.moves_from(), Fact::Held, at, Some(code), ", hu = :hu");
        match self.store.write(held.with(":hu", time(until))).await? {
            Written::Done(item) => return changed(item.as_ref()),
            Written::Refused(None) => return Ok(Applied::Missing),
            Written::Refused(Some(item)) => {
                let seen = read(&item)?;
                if seen.state != State::Held {
                    return Ok(Applied::Unchanged(Box::new(seen)));
                }
                if let (Some(due), Some(_)) = (seen.held_until, line::scheduled_place(&seen)) {
                    // Its entry stands by the due time that this changes, where nobody would find it any more.
                    self.take_turn(seen.device, due, line::turn_of(&seen)).await?;
                }
                if seen.reason() != Some(code) {
                    let again = step(&place, &[State::Held], Fact::Held, at, Some(code), ", hu = :hu");
                    return match self.store.write(again.with(":hu", time(until))).await? {
                        Written::Done(item) => changed(item.as_ref()),
                        Written::Refused(None) => Ok(Applied::Missing),
                        Written::Refused(item) => unchanged(item.as_ref()),
                    };
                }
            }
        }
        let extended = Write::update(&place, "SET hu = :hu, u = :u")
            .when("s = :s")
            .with(":hu", time(until))
            .with(":u", time(at))
            .with(":s", text(State::Held.word()));
        match self.store.write(extended).await? {
            Written::Refused(None) => Ok(Applied::Missing),
            Written::Done(item) | Written::Refused(item) => unchanged(item.as_ref()),
        }
    }

    pub(crate) async fn learn(&self, id: MessageId, fact: Fact, at: Timestamp) -> Result<Applied, PortError> {
        match fact {
            Fact::Acknowledged | Fact::Delivered | Fact::Read | Fact::Played => self.answered(id, fact, at).await,
            Fact::Silence => self.fell_silent(id, at).await,
            other => Err(PortError::Corrupt(format!("{other:?} is no answer; it has a method of its own"))),
        }
    }

    async fn answered(&self, id: MessageId, fact: Fact, at: Timestamp) -> Result<Applied, PortError> {
        let place = Place::message(self.account, id);
        let (implying, plain): (Vec<_>, Vec<_>) =
            fact.moves_from().iter().partition(|state| fact.implies_in(**state).is_some());
        let mut written = self.store.write(step(&place, &plain, fact, at, None, "")).await?;
        // Rare: the answer was lost with a process, or comes after the receipt.
        if let Written::Refused(Some(item)) = &written
            && let Some(implied) = fact.implies_in(read(item)?.state)
        {
            let both = steps(&place, &implying, &[implied], fact, at, None, "");
            written = self.store.write(both).await?;
            if let Written::Refused(Some(item)) = &written
                && fact.moves_from().contains(&read(item)?.state)
            {
                // The answer came in between.
                written = self.store.write(step(&place, &plain, fact, at, None, "")).await?;
            }
        }
        match written {
            Written::Done(item) => {
                let applied = changed(item.as_ref())?;
                if let Applied::Moved(message) = &applied {
                    self.left_line(message).await;
                }
                Ok(applied)
            }
            Written::Refused(None) => Ok(Applied::Missing),
            Written::Refused(Some(item)) => {
                let message = read(&item)?;
                // Perhaps our own first try, whose answer was lost: then its entry is still to be taken away.
                if message.history.last().is_some_and(|last| last.state == fact.state() && last.at == at) {
                    self.left_line(&message).await;
                }
                Ok(Applied::Unchanged(Box::new(message)))
            }
        }
    }

    /// Takes away the entry that the message had before the steps of its last moment. If that fails, the entry is stale,
    /// which is allowed, and the message has moved all the same.
    async fn left_line(&self, message: &Message) {
        let last = message.history.last().map(|step| step.at);
        let before = message.history.iter().rev().find(|step| Some(step.at) != last).map(|step| step.state);
        let Some(before) = before else { return };
        for place in line::places_in(message, before) {
            if let Err(error) = self.store.write(Write::delete(&place)).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(account.id = %self.account, message.id = %message.id, error, "a line keeps a stale entry");
            }
        }
    }

    async fn fell_silent(&self, id: MessageId, at: Timestamp) -> Result<Applied, PortError> {
        let Some(mut seen) = self.one_message(id).await? else { return Ok(Applied::Missing) };
        for _ in 0..LOOKS {
            if Fact::Silence.applied_to(seen.state).is_none() {
                return Ok(Applied::Unchanged(Box::new(seen)));
            }
            let place = Place::message(self.account, id);
            let writes = [
                step(&place, &[seen.state], Fact::Silence, at, None, ""),
                Write::delete(&line::open_place(&seen)),
                line::enter(&Place::unknown(self.account, seen.device, at, id)),
            ];
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
            match self.store.transact(&transaction).await? {
                Committed::Done => return Ok(Applied::Moved(Box::new(stepped(seen, Fact::Silence, at, None)))),
                Committed::Refused(_) => match self.one_message(id).await? {
                    Some(message) => seen = message,
                    None => return Ok(Applied::Missing),
                },
            }
        }
        Err(PortError::Conflict)
    }
}

/// The message after a step that was written.
pub(crate) fn stepped(mut message: Message, fact: Fact, at: Timestamp, code: Option<&str>) -> Message {
    message.state = fact.state();
    message.updated_at = at;
    message.held_until = None;
    message.history.push(Step { state: fact.state(), at, code: code.map(str::to_owned) });
    message
}

fn changed(item: Option<&Item>) -> Result<Applied, PortError> {
    item.map(read).transpose().map(|message| message.map_or(Applied::Missing, |m| Applied::Moved(Box::new(m))))
}

fn unchanged(item: Option<&Item>) -> Result<Applied, PortError> {
    let message = item.map(read).transpose()?;
    Ok(message.map_or(Applied::Missing, |message| Applied::Unchanged(Box::new(message))))
}
