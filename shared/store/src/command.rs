//! Commands and their answers: one item each, which ends by itself.
//!
//! Questions and answers are texts of JSON, tagged by kind: each kind has parts of its own, and a release reads past the
//! kinds of a later one. Nobody but the store reads them.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::{CommandId, DeviceId, Epoch};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Answer, Ask, Command, Commands, Failed, Outcome, Person, PortError};
use serde::{Deserialize, Serialize};

use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::writing::{Write, Written};

/// How long an answer stays for whoever waited for it to the last.
const KEPT: Duration = Duration::from_mins(1);

#[async_trait]
impl Commands for TenantStore {
    async fn put_command(&self, command: &Command) -> Result<(), PortError> {
        let place = Place::command(self.account, command.id);
        let item = NewItem::at(&place)
            .with("d", number(command.device))
            .with("q", text(Question::of(&command.ask).text(&place)?))
            .with("ex", time(command.expires_at))
            .with(TTL, expiry(command.expires_at + KEPT));
        // It may be refused to a second try, and the first may be taken by now: a new one is never there already.
        self.store.write(Write::put(&place, item.done()).if_new()).await.map(drop)
    }

    async fn take_command(&self, device: DeviceId, id: CommandId, epoch: Epoch) -> Result<Option<Command>, PortError> {
        let place = Place::command(self.account, id);
        // The SDK repeats a call whose answer was lost: by its token a taker knows its own work.
        let taken = Write::update(&place, "SET ep = :ep, tb = :by")
            .when("d = :d AND ex > :now AND (attribute_not_exists(tb) OR tb = :by)")
            .with(":d", number(device))
            .with(":ep", number(epoch.0))
            .with(":by", text(self.store.fresh_token()))
            .with(":now", time(self.store.now()));
        match self.store.write(taken).await? {
            Written::Done(Some(item)) => read(&item, id).map(Some),
            Written::Done(None) | Written::Refused(_) => Ok(None),
        }
    }

    async fn answer_command(&self, id: CommandId, epoch: Epoch, outcome: &Outcome) -> Result<bool, PortError> {
        let place = Place::command(self.account, id);
        let said = Said::of(outcome).text(&place)?;
        let answered = Write::update(&place, "SET an = :an")
            .when("ep = :ep AND ex > :now AND (attribute_not_exists(an) OR an = :an)")
            .with(":an", text(said))
            .with(":ep", number(epoch.0))
            .with(":now", time(self.store.now()));
        Ok(self.store.write(answered).await?.is_done())
    }

    async fn answer_of(&self, id: CommandId) -> Result<Option<Outcome>, PortError> {
        let Some(item) = self.store.get(&Place::command(self.account, id)).await? else { return Ok(None) };
        let fields = Fields(&item);
        if fields.expired(self.store.now())? {
            return Ok(None);
        }
        fields.maybe_word("an", |said| serde_json::from_str(said).ok().map(Said::outcome))
    }
}

fn read(item: &Item, id: CommandId) -> Result<Command, PortError> {
    let fields = Fields(item);
    let ask = fields.word("q", |asked| serde_json::from_str::<Question>(asked).ok()?.ask())?;
    Ok(Command { id, device: fields.number("d")?, ask, expires_at: fields.time("ex")? })
}

/// A question as stored.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
enum Question {
    Number {
        phone: String,
    },
    #[serde(other)]
    Unknown,
}

/// An answer, or why there is none, as stored.
#[derive(Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
enum Said {
    Number { jid: Option<String>, lid: Option<String> },
    NotConnected,
    TooMany,
    Busy,
    Unsupported,
    Refused { code: String },
}

impl Question {
    fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Number(phone) => Self::Number { phone: phone.digits().to_owned() },
            Ask::Unknown => Self::Unknown,
        }
    }

    fn ask(self) -> Option<Ask> {
        Some(match self {
            Self::Number { phone } => Ask::Number(PhoneNumber::from_e164(&phone)?),
            Self::Unknown => Ask::Unknown,
        })
    }

    fn text(&self, place: &Place) -> Result<String, PortError> {
        written(serde_json::to_string(self), place)
    }
}

impl Said {
    fn of(outcome: &Outcome) -> Self {
        match outcome.clone() {
            Ok(Answer::Number(person)) => {
                let (jid, lid) = person.map_or((None, None), |person| (Some(person.jid), person.lid));
                Self::Number { jid, lid }
            }
            Err(Failed::NotConnected) => Self::NotConnected,
            Err(Failed::TooMany) => Self::TooMany,
            Err(Failed::Busy) => Self::Busy,
            Err(Failed::Unsupported) => Self::Unsupported,
            Err(Failed::Refused { code }) => Self::Refused { code },
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::Number { jid, lid } => Ok(Answer::Number(jid.map(|jid| Person { jid, lid }))),
            Self::NotConnected => Err(Failed::NotConnected),
            Self::TooMany => Err(Failed::TooMany),
            Self::Busy => Err(Failed::Busy),
            Self::Unsupported => Err(Failed::Unsupported),
            Self::Refused { code } => Err(Failed::Refused { code }),
        }
    }

    fn text(&self, place: &Place) -> Result<String, PortError> {
        written(serde_json::to_string(self), place)
    }
}

/// Plain texts always have a JSON.
fn written(json: serde_json::Result<String>, place: &Place) -> Result<String, PortError> {
    json.map_err(|error| PortError::Corrupt(format!("{} cannot be written: {error}", place.pk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<Ask> {
        serde_json::from_str::<Question>(text).ok()?.ask()
    }

    #[test]
    fn a_question_of_a_later_release_is_known_to_be_one() {
        assert_eq!(asked(r#"{"ask":"group_create","subject":"x"}"#), Some(Ask::Unknown));
        let phone = PhoneNumber::from_e164("60123456789").unwrap();
        assert_eq!(asked(r#"{"ask":"number","phone":"60123456789","more":1}"#), Some(Ask::Number(phone)));
        assert_eq!(asked(r#"{"ask":"number","phone":"none"}"#), None);
    }
}
