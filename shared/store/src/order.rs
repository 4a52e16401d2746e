//! Purchases of credits, and the prices of an account.

use async_trait::async_trait;
use hantar_domain::ids::OrderId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::order::{Order, OrderState};
use hantar_domain::price::{Amount, Currency, PriceList};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Created, Idempotency, Orders, Paid, PortError, Session};

use crate::items::{Fields, Item, NewItem, bytes, number, text, time};
use crate::places::{Place, Table, ordered, orders_of};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;
use crate::{credits, ledger};

fn item(order: &Order) -> Item {
    NewItem::at(&Place::order(order.account, order.id))
        .with("no", bytes(order.nonce))
        .with("c", number(order.credits))
        .with("am", number(order.amount.minor))
        .with("cu", text(order.amount.currency.to_string()))
        .with("s", text(order.state.word()))
        .maybe("si", order.session.as_deref().map(text))
        .maybe("ur", order.url.as_deref().map(text))
        .maybe("pi", order.payment.as_deref().map(text))
        .with("t", time(order.created_at))
        .maybe("te", order.ended_at.map(time))
        .done()
}

fn read(item: &Item) -> Result<Order, PortError> {
    let fields = Fields(item);
    Ok(Order {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#O")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.parse().ok())?,
        nonce: fields.bytes("no")?.try_into().map_err(|_| fields.damaged("no"))?,
        credits: fields.number("c")?,
        amount: Amount { minor: fields.number("am")?, currency: fields.word("cu", Currency::parse)? },
        state: fields.word("s", OrderState::from_word)?,
        session: fields.owned("si")?,
        url: fields.owned("ur")?,
        payment: fields.owned("pi")?,
        created_at: fields.time("t")?,
        ended_at: fields.maybe_time("te")?,
    })
}

impl TenantStore {
    async fn replayed_order(&self, taken: &Item, wanted: &Idempotency) -> Result<Created<Order>, PortError> {
        let fields = Fields(taken);
        if fields.bytes("q")? != wanted.request {
            return Ok(Created::KeyReused);
        }
        let earlier = self.order(OrderId(fields.number("or")?)).await?.ok_or_else(|| fields.damaged("or"))?;
        Ok(Created::Replayed(Box::new(earlier)))
    }
}

#[async_trait]
impl Orders for TenantStore {
    async fn prices(&self) -> Result<Option<PriceList>, PortError> {
        let item = self.store.get(&Place::prices(self.account)).await?;
        item.map(|item| Fields(&item).word("l", |list| list.parse().ok())).transpose()
    }

    async fn set_prices(&self, prices: Option<&PriceList>) -> Result<(), PortError> {
        let place = Place::prices(self.account);
        let write = match prices {
            Some(prices) => Write::put(&place, NewItem::at(&place).with("l", text(prices.to_string())).done()),
            None => Write::delete(&place),
        };
        self.store.write(write).await.map(drop)
    }

    async fn add_order(&self, order: &Order, idempotency: Option<&Idempotency>) -> Result<Created<Order>, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, order.created_at).await?
        {
            return self.replayed_order(&taken, wanted).await;
        }
        let put = Write::put(&Place::order(self.account, order.id), item(order)).if_new();
        let key = idempotency.map(|key| self.put_key(key, "or", order.id.0, order.created_at));
        let writes = [Some(put), key].into_iter().flatten();
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else { return Ok(Created::New) };
        match (refusals.into_iter().nth(1), idempotency) {
            (Some(Refusal::Condition(Some(taken))), Some(wanted)) => self.replayed_order(&taken, wanted).await,
            _ => Err(PortError::Corrupt(format!("order number {} is taken", order.id))),
        }
    }

    async fn note_session(&self, id: OrderId, session: &Session) -> Result<(), PortError> {
        let noted = Write::update(&Place::order(self.account, id), "SET si = :si, ur = :ur")
            .when("attribute_exists(pk) AND attribute_not_exists(ur)")
            .with(":si", text(&session.id))
            .with(":ur", text(&session.url));
        self.store.write(noted).await.map(drop)
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, PortError> {
        self.store.get(&Place::order(self.account, id)).await?.as_ref().map(read).transpose()
    }

    async fn orders(&self, before: Option<OrderId>, limit: usize) -> Result<Vec<Order>, PortError> {
        let partition = orders_of(self.account);
        let query = match before {
            Some(before) => Query::before(Table::Business, partition, ordered(before.0)),
            None => Query::all(Table::Business, partition),
        };
        self.store.first(&query.backwards(), limit).await?.iter().map(read).collect()
    }

    async fn pay_order(
        &self,
        id: OrderId,
        session: &str,
        payment: Option<&str>,
        at: Timestamp,
    ) -> Result<Paid, PortError> {
        let Some(order) = self.order(id).await? else { return Ok(Paid::Missing) };
        if order.state == OrderState::Paid {
            return Ok(Paid::Done);
        }
        let with_payment = if payment.is_some() { ", pi = :pi" } else { "" };
        let paid =
            Write::update(&Place::order(self.account, id), format!("SET s = :s, si = :si, te = :te{with_payment}"));
        let paid = paid
            .when("attribute_exists(pk) AND s <> :s")
            .with(":s", text(OrderState::Paid.word()))
            .with(":si", text(session))
            .with(":te", time(at));
        let paid = payment.into_iter().fold(paid, |paid, payment| paid.with(":pi", text(payment)));
        let movement = Movement { at, credits: order.credits, cause: Cause::Purchase(id) };
        let writes = [paid, credits::grant(self.account, order.credits), ledger::note(self.account, &movement)];
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let line = self.store.lines().of(self.account);
        let turn = line.turn().await;
        let committed = self.store.transact(&transaction).await?;
        drop(turn);
        match committed {
            Committed::Done => Ok(Paid::Done),
            // Another one heard of it at the same moment.
            Committed::Refused(refusals) => match refusals.into_iter().next() {
                Some(Refusal::Condition(Some(_))) => Ok(Paid::Done),
                Some(Refusal::Condition(None)) => Ok(Paid::Missing),
                _ => Err(self.no_balance()),
            },
        }
    }

    async fn end_order(&self, id: OrderId, state: OrderState, at: Timestamp) -> Result<(), PortError> {
        let ended = Write::update(&Place::order(self.account, id), "SET s = :s, te = :te")
            .when("s = :open")
            .with(":s", text(state.word()))
            .with(":te", time(at))
            .with(":open", text(OrderState::Open.word()));
        self.store.write(ended).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::AccountId;

    use super::*;

    #[test]
    fn an_order_is_read_back_as_it_was_written() {
        let open = Order {
            account: AccountId(1),
            id: OrderId(2),
            nonce: [3; 16],
            credits: 1000,
            amount: Amount { minor: 8500, currency: Currency::parse("MYR").unwrap() },
            state: OrderState::Open,
            session: None,
            url: None,
            payment: None,
            created_at: Timestamp(4),
            ended_at: None,
        };
        let paid = Order {
            state: OrderState::Paid,
            session: Some("cs_1".into()),
            url: Some("https://checkout.stripe.com/c/pay/cs_1".into()),
            payment: Some("pi_1".into()),
            ended_at: Some(Timestamp(5)),
            ..open.clone()
        };
        for order in [open, paid] {
            assert_eq!(read(&item(&order)).unwrap(), order);
        }
    }
}
