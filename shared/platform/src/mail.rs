//! Letters to people.

use async_trait::async_trait;
use hantar_usecases::ports::{Letter, Mail, PortError};

/// Letters go to the log, for one machine and its one person.
pub struct LogMail;

#[async_trait]
impl Mail for LogMail {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        tracing::info!(to = letter.to.as_str(), subject = letter.subject, "a letter:\n{}", letter.text);
        Ok(())
    }
}
