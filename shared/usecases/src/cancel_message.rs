//! Taking a message back before it reaches the wire.

use hantar_domain::ids::MessageId;

use crate::idempotency::idempotency;
use crate::ports::{Cancelled, Clock, PortError, Tenant};

/// Cancels a message and gives its credit back, if the device has not taken it to the wire yet: of cancel and dispatch
/// one wins. A repeat under the same key answers the same; without a key the second one is too late.
pub async fn cancel_message(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: MessageId,
    key: Option<&str>,
) -> Result<Cancelled, PortError> {
    let now = clock.now();
    let idempotency = key.map(|key| idempotency("cancel", key, &id.0.to_be_bytes(), now));
    tenant.cancel(id, idempotency.as_ref(), now).await
}
