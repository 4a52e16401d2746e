//! What people did to an account: an entry before each change, and what came of it afterwards.

use crate::ids::{AuditId, TokenId, UserId};
use crate::time::Timestamp;

/// Who began a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The person, where it is known.
    pub user: Option<UserId>,
    /// The token that was used, where it was one.
    pub token: Option<TokenId>,
    /// The address that they came from, where it is known.
    pub address: Option<String>,
}

/// One change that somebody began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number.
    pub id: AuditId,
    /// Who.
    pub actor: Actor,
    /// What: the method and path of a request, or a word such as `sign-in`.
    pub action: String,
    /// When it began.
    pub at: Timestamp,
    /// How it was answered, as an HTTP status. `None` when the process died before it knew: look at the thing itself.
    pub status: Option<u16>,
}
