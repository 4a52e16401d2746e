//! The audit log.

use hantar_domain::audit::AuditEntry;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// An entry as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditBody {
    /// Its number.
    pub id: u64,
    /// Who, where it is known.
    pub user_id: Option<u64>,
    /// By which token.
    pub token_id: Option<u64>,
    /// From which address, where it is known.
    pub ip: Option<String>,
    /// What: a request's method and path, or a word such as `sign-in`.
    pub action: String,
    /// How it was answered, as an HTTP status; null when the process ended before it knew.
    pub status: Option<u16>,
    /// When it began.
    pub created_at: String,
}

impl AuditBody {
    /// As shown.
    pub fn new(entry: &AuditEntry) -> Self {
        Self {
            id: entry.id.0,
            user_id: entry.actor.user.map(|user| user.0),
            token_id: entry.actor.token.map(|token| token.0),
            ip: entry.actor.address.clone(),
            action: entry.action.clone(),
            status: entry.status,
            created_at: time::text(entry.at),
        }
    }
}
