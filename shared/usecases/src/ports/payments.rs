//! The payment provider: where people pay for credits.

use async_trait::async_trait;
use hantar_domain::order::Order;
use hantar_domain::user::Email;

use super::{PortError, Session};

/// What is to be paid, and where the payer is led afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// For this order.
    pub order: Order,
    /// Who pays.
    pub email: Option<Email>,
    /// Where to after it was paid.
    pub success_url: String,
    /// Where to when it was not.
    pub cancel_url: String,
}

/// Why no checkout was opened.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The provider does not want this order: its reason.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// The provider did not answer, or not usefully: try again.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The payment provider.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Opens a checkout for an order. A repeat for the same order answers the same.
    async fn open(&self, checkout: &Checkout) -> Result<Session, PaymentError>;
}
