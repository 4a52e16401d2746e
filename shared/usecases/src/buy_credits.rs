//! Credits bought through a payment provider.
//!
//! The order is stored before the provider hears of it, and the provider is called under the order's own name: whoever dies
//! in between, or loses the answer, finds the same order and the same checkout again. What is credited is what the order
//! says, never what a call from outside says.

use hantar_domain::ids::{AccountId, OrderId};
use hantar_domain::order::{Order, OrderState, Reference};
use hantar_domain::price::{Amount, MAX_PURCHASE, PriceList};
use hantar_domain::user::Email;

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{
    Checkout, Clock, Created, Entropy, Paid, PaymentError, Payments, PortError, Sequence, Tenant, Tenants,
};

/// What is to be bought.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// How many credits.
    pub credits: i64,
    /// Who pays.
    pub email: Option<Email>,
    /// Where to after it was paid.
    pub success_url: String,
    /// Where to when it was not.
    pub cancel_url: String,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// Why nothing can be paid for.
#[derive(Debug, thiserror::Error)]
pub enum BuyError {
    /// So many are not sold at a time.
    #[error("between {least} and {most} credits are sold at a time")]
    Quantity {
        /// The fewest.
        least: i64,
        /// The most.
        most: i64,
    },
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The payment provider does not want it, for this reason.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// A port failed: try again under the same key.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What buying needs from outside.
pub struct Counter<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// The payment provider.
    pub payments: &'a dyn Payments,
    /// What credits cost an account that has no prices of its own.
    pub prices: &'a PriceList,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// What an account pays for credits.
pub async fn prices_of(tenant: &dyn Tenant, otherwise: &PriceList) -> Result<PriceList, PortError> {
    Ok(tenant.ledger().prices().await?.unwrap_or_else(|| otherwise.clone()))
}

/// Makes an order and says where to pay for it. With an idempotency key a repeat answers the same order.
pub async fn buy_credits(with: &Counter<'_>, account: AccountId, new: NewOrder) -> Result<Order, BuyError> {
    let prices = prices_of(with.tenant, with.prices).await?;
    let most = MAX_PURCHASE;
    let amount = prices.amount(new.credits).ok_or(BuyError::Quantity { least: prices.least(), most })?;
    let order = new_order(with, account, new.credits, amount).await?;
    let key = new.idempotency.as_ref().map(|(key, content)| idempotency("order", key, content, order.created_at));
    let order = match with.tenant.ledger().add_order(&order, key.as_ref()).await? {
        Created::New => order,
        Created::Replayed(earlier) => *earlier,
        Created::KeyReused | Created::Full => return Err(BuyError::KeyReused),
    };
    if order.url.is_some() || order.state != OrderState::Open {
        return Ok(order);
    }
    let NewOrder { email, success_url, cancel_url, .. } = new;
    let checkout = Checkout { order: order.clone(), email, success_url, cancel_url };
    let session = with.payments.open(&checkout).await.map_err(|error| match error {
        PaymentError::Refused(why) => BuyError::Refused(why),
        PaymentError::Port(error) => BuyError::Port(error),
    })?;
    with.tenant.ledger().note_session(order.id, &session).await?;
    Ok(Order { session: Some(session.id), url: Some(session.url), ..order })
}

async fn new_order(with: &Counter<'_>, account: AccountId, credits: i64, amount: Amount) -> Result<Order, PortError> {
    let mut nonce = [0; 16];
    with.entropy.fill(&mut nonce);
    Ok(Order {
        account,
        id: OrderId(with.numbers.next(Sequence::Orders(account)).await?),
        nonce,
        credits,
        amount,
        state: OrderState::Open,
        session: None,
        url: None,
        payment: None,
        created_at: with.clock.now(),
        ended_at: None,
    })
}

/// What the provider says about a checkout, once it is known to be the provider who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentFact {
    /// It was paid.
    Paid {
        /// The provider's name of the checkout.
        session: String,
        /// The provider's name of the payment.
        payment: Option<String>,
        /// What was asked for.
        amount: Amount,
    },
    /// The payment was refused.
    Failed,
    /// Nobody paid in time.
    Expired,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is known, from now on or since an earlier time.
    Done,
    /// The order is none of ours: of another installation at the same provider, or erased.
    Foreign,
    /// Another amount was paid than the order asks for: a person must look.
    WrongAmount,
}

/// Takes notice of what became of a payment. Repeatable, in whatever order.
pub async fn settle_order(
    tenants: &dyn Tenants,
    clock: &dyn Clock,
    reference: Reference,
    fact: &PaymentFact,
) -> Result<Settled, PortError> {
    let tenant = tenants.for_account(reference.account);
    let ledger = tenant.ledger();
    let order = ledger.order(reference.order).await?;
    let Some(order) = order.filter(|order| order.nonce == reference.nonce) else { return Ok(Settled::Foreign) };
    match fact {
        PaymentFact::Paid { amount, .. } if *amount != order.amount => Ok(Settled::WrongAmount),
        PaymentFact::Paid { session, payment, .. } => {
            let paid = ledger.pay_order(order.id, session, payment.as_deref(), clock.now()).await?;
            Ok(if paid == Paid::Done { Settled::Done } else { Settled::Foreign })
        }
        PaymentFact::Failed => {
            ledger.end_order(order.id, OrderState::Failed, clock.now()).await.map(|()| Settled::Done)
        }
        PaymentFact::Expired => {
            ledger.end_order(order.id, OrderState::Expired, clock.now()).await.map(|()| Settled::Done)
        }
    }
}
