//! A purchase of credits through a payment provider: what was asked for at which price, and what became of it.

use crate::ids::{AccountId, OrderId};
use crate::price::Amount;
use crate::time::Timestamp;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// To be paid.
    Open,
    /// Paid, and its credits are in the account.
    Paid,
    /// The payment was refused.
    Failed,
    /// Nobody paid in time.
    Expired,
}

impl OrderState {
    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Paid, Self::Failed, Self::Expired].into_iter().find(|state| state.word() == word)
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: OrderId,
    /// Random, so that no other installation's order at the same provider is taken for it.
    pub nonce: [u8; 16],
    /// How many credits.
    pub credits: i64,
    /// What they cost.
    pub amount: Amount,
    /// How it stands.
    pub state: OrderState,
    /// The provider's name of the checkout, once it was opened.
    pub session: Option<String>,
    /// Where to pay, once that is known.
    pub url: Option<String>,
    /// The provider's name of the payment.
    pub payment: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was paid, failed or expired.
    pub ended_at: Option<Timestamp>,
}

/// What the provider is told an order is called, and tells us again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub order: OrderId,
    /// The order's own.
    pub nonce: [u8; 16],
}

impl Order {
    /// What the provider is told it is called.
    pub const fn reference(&self) -> Reference {
        Reference { account: self.account, order: self.id, nonce: self.nonce }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hantar-{}-{}-{}", self.account, self.order, hex::encode(self.nonce))
    }
}

impl Reference {
    /// Reads what `Display` writes; `None` for what is no order of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("hantar-")?.splitn(3, '-');
        let (account, order) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let nonce = hex::decode(parts.next()?).ok()?.try_into().ok()?;
        Some(Self { account, order, nonce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_leads_back_to_its_order_and_others_lead_nowhere() {
        let reference = Reference { account: AccountId(7), order: OrderId(42), nonce: [0xab; 16] };
        assert_eq!(Reference::parse(&reference.to_string()), Some(reference));
        let short = format!("hantar-7-42-{}", "ab".repeat(15));
        for text in ["", "hantar-7-42", "hantar--42-", "order-7-42-ab", &short, "cus_123"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }

    #[test]
    fn states_are_read_back_by_their_words() {
        for state in [OrderState::Open, OrderState::Paid, OrderState::Failed, OrderState::Expired] {
            assert_eq!(OrderState::from_word(state.word()), Some(state));
        }
    }
}
