//! An account's purchases of credits, and what it pays for them.

use async_trait::async_trait;
use hantar_domain::ids::OrderId;
use hantar_domain::order::{Order, OrderState};
use hantar_domain::price::PriceList;
use hantar_domain::time::Timestamp;

use super::{Created, Idempotency, PortError};

/// A checkout that the payment provider opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The provider's name of it.
    pub id: String,
    /// Where to pay.
    pub url: String,
}

/// What became of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paid {
    /// The credits are in the account, from now on or since an earlier call.
    Done,
    /// There is no such order.
    Missing,
}

/// An account's purchases of credits.
#[async_trait]
pub trait Orders: Send + Sync {
    /// The account's own prices, where it has some.
    async fn prices(&self) -> Result<Option<PriceList>, PortError>;

    /// Gives the account prices of its own, or takes them away.
    async fn set_prices(&self, prices: Option<&PriceList>) -> Result<(), PortError>;

    /// Stores a new order.
    async fn add_order(&self, order: &Order, idempotency: Option<&Idempotency>) -> Result<Created<Order>, PortError>;

    /// Remembers where an order is paid. Repeatable.
    async fn note_session(&self, id: OrderId, session: &Session) -> Result<(), PortError>;

    /// One order, strongly consistent.
    async fn order(&self, id: OrderId) -> Result<Option<Order>, PortError>;

    /// Orders, the newest first, at most `limit`: those before `before`.
    async fn orders(&self, before: Option<OrderId>, limit: usize) -> Result<Vec<Order>, PortError>;

    /// An order was paid: its state, the credits and their movement in one transaction, once however often it is heard, and
    /// also after it was said to have failed or expired.
    async fn pay_order(
        &self,
        id: OrderId,
        session: &str,
        payment: Option<&str>,
        at: Timestamp,
    ) -> Result<Paid, PortError>;

    /// An open order failed or expired. Changes nothing about one that is not open.
    async fn end_order(&self, id: OrderId, state: OrderState, at: Timestamp) -> Result<(), PortError>;
}
