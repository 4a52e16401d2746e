//! The audit log, kept by the gate, so that no route can forget it: an entry before each change is begun, and how it was
//! answered afterwards. What dies in between leaves an entry without an outcome.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hantar_domain::audit::{Actor, AuditEntry};
use hantar_domain::ids::AuditId;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::people::ClientAddress;
use hantar_usecases::ports::PortError;

use crate::auth::Gate;
use crate::errors::ApiError;
use crate::limit::Kind;

/// Writes that are a log of their own: each message is kept with who sent it, and two more writes would double its price.
const OWN_LOG: [&str; 2] = ["/api/v1/messages/send", "/api/v1/messages/bulk"];
/// How much of a path is kept.
const MAX_PATH_CHARS: usize = 200;

/// Runs a request, with its entry in the log if it changes something. Without the entry nothing is begun.
pub(crate) async fn audited(gate: &Gate, caller: &Caller, request: Request, next: Next) -> Response {
    if gate.kind == Kind::Read || OWN_LOG.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let tenant = gate.api.parts.tenants.for_account(caller.account);
    let id = match tenant.people().begin_audit(&entry(gate, caller, &request)).await {
        Ok(id) => id,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let response = next.run(request).await;
    if let Err(error) = tenant.people().end_audit(id, response.status().as_u16()).await {
        not_noted(caller, &error);
    }
    response
}

fn entry(gate: &Gate, caller: &Caller, request: &Request) -> AuditEntry {
    let at = gate.api.parts.clock.now();
    let path: String = request.uri().path().chars().take(MAX_PATH_CHARS).collect();
    let address = request.extensions().get::<ClientAddress>().map(|address| address.0.clone());
    AuditEntry {
        id: AuditId(u64::try_from(at.0).unwrap_or(0)),
        actor: Actor { user: Some(caller.user), token: caller.token, address },
        action: format!("{} {path}", request.method()),
        at,
        status: None,
    }
}

/// The change happened, and its answer stands: the entry stays without an outcome, which says just that.
fn not_noted(caller: &Caller, error: &PortError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(account.id = %caller.account, error, "the outcome of a change is not in the audit log");
}
