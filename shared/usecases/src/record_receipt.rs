//! The recipient's phone said that a message arrived, was read or was played.

use hantar_domain::ids::MessageId;
use hantar_domain::message::Fact;

use crate::ports::{Applied, Clock, PortError, Tenant};

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It arrived.
    Delivered,
    /// It was read.
    Read,
    /// It was played.
    Played,
}

/// Records a receipt; repeats and late ones change nothing. It implies the earlier states, whose own news may be lost.
pub async fn record_receipt(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    message: MessageId,
    receipt: Receipt,
) -> Result<Applied, PortError> {
    let fact = match receipt {
        Receipt::Delivered => Fact::Delivered,
        Receipt::Read => Fact::Read,
        Receipt::Played => Fact::Played,
    };
    tenant.record(message, fact, clock.now()).await
}
