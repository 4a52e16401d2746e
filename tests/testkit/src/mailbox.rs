//! Where letters go that a test reads.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hantar_usecases::ports::{Letter, Mail, PortError};

/// Keeps the letters. Clones are one mailbox.
#[derive(Clone, Debug, Default)]
pub struct Mailbox(Arc<Mutex<Vec<Letter>>>);

impl Mailbox {
    /// Takes all letters out, oldest first.
    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Mail for Mailbox {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(letter.clone());
        Ok(())
    }
}
