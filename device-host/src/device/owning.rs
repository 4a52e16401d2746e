//! What a device's owner says to the tables about it: the claim, changes of its record, the end of its keys.

use std::time::Duration;

use hantar_domain::device::Device;
use hantar_usecases::ports::{DeviceChange, KeyError, PortError};

use super::desk::{Desk, Mailbox};

/// Pauses between tries of what must be written to the device's record.
const PAUSES_MS: [u64; 5] = [20, 100, 500, 2_000, 5_000];
/// A pause before another try to take the device over.
const CLAIM_PAUSE: Duration = Duration::from_secs(1);

/// The device is another host's, or all is done.
pub(super) struct End;

/// Claims the keys, then reads the record: nothing is read before the claim.
#[tracing::instrument(
    name = "take over",
    level = "debug",
    skip_all,
    fields(account.id = %desk.account, device.id = %desk.device)
)]
pub(super) async fn take_over(desk: &Desk, mailbox: &Mailbox) -> Option<Device> {
    loop {
        match claim_and_read(desk).await {
            Ok(device) => return device,
            Err(KeyError::Fenced) => {
                tracing::info!(device.id = %desk.device, "the device belongs to another host");
                return None;
            }
            Err(KeyError::Port(error)) => {
                desk.shared.metrics.store_failed("claim");
                tracing::warn!(device.id = %desk.device, %error, "the device cannot be taken over yet");
                tokio::time::sleep(CLAIM_PAUSE).await;
            }
        }
        if *mailbox.leaving.borrow() {
            return None;
        }
    }
}

async fn claim_and_read(desk: &Desk) -> Result<Option<Device>, KeyError> {
    desk.shared.keys.claim(desk.device, desk.epoch).await?;
    Ok(desk.tenant.device(desk.device).await?)
}

/// Forgets all keys.
pub(super) async fn erase(desk: &Desk) -> Result<(), End> {
    for pause in PAUSES_MS {
        match desk.shared.keys.erase(desk.device, desk.epoch).await {
            Ok(()) => return Ok(()),
            Err(KeyError::Fenced) => return Err(End),
            Err(KeyError::Port(error)) => tracing::debug!(device.id = %desk.device, %error, "keys are not erased yet"),
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    // Whoever pairs next finds them and tries again.
    tracing::warn!(device.id = %desk.device, "the keys of an unlinked device could not be erased");
    Ok(())
}

/// Changes the device's record.
pub(super) async fn change(desk: &Desk, change: &DeviceChange) -> Result<(), End> {
    let mut conflict = false;
    for pause in PAUSES_MS {
        match desk.tenant.change_device(desk.device, change, Some(desk.epoch)).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                desk.shared.metrics.store_failed("device");
                conflict |= matches!(error, PortError::Conflict);
                tracing::debug!(device.id = %desk.device, %error, "a device's record is not changed yet");
            }
        }
        if conflict && matches!(desk.shared.keys.claim(desk.device, desk.epoch).await, Err(KeyError::Fenced)) {
            return Err(End);
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    tracing::warn!(device.id = %desk.device, "a device's record could not be changed");
    Ok(())
}
