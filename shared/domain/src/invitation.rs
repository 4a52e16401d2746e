//! Somebody is asked to join an account.

use crate::ids::{InvitationId, UserId};
use crate::time::Timestamp;
use crate::user::{Email, Role};

/// How many open ones an account may have.
pub const MAX_INVITATIONS: usize = 100;

/// An invitation that nobody has accepted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its number.
    pub id: InvitationId,
    /// Who is asked.
    pub email: Email,
    /// What they would be.
    pub role: Role,
    /// Who asks.
    pub by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}
