//! WhatsApp's server answered a message: it took it, or refused it.

use hantar_domain::ids::MessageId;
use hantar_domain::message::Fact;

use crate::ports::{Applied, Clock, PortError, Refusal, Tenant};

/// Records the server's answer. `error` is the code of a nack (463, 479, 400…). A repeat changes nothing.
///
/// A nack gives the credit back in the same transaction; a late acknowledgement repairs `unknown` and never charges.
pub async fn record_ack(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    message: MessageId,
    error: Option<&str>,
) -> Result<Applied, PortError> {
    let at = clock.now();
    match error {
        None => tenant.record(message, Fact::Acknowledged, at).await,
        Some(code) => {
            tenant.refuse(message, &Refusal { fact: Fact::Nacked, code: format!("whatsapp_{code}") }, at).await
        }
    }
}
