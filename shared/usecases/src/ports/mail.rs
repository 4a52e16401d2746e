//! Letters to people: verification, reset, invitation, low balance.

use async_trait::async_trait;
use hantar_domain::user::Email;

use super::PortError;

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// What it is about.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// Sends letters.
#[async_trait]
pub trait Mail: Send + Sync {
    /// Hands a letter over. After an error it may have been sent all the same; whoever repeats it sends it twice.
    async fn send(&self, letter: &Letter) -> Result<(), PortError>;
}
