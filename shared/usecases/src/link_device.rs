//! Linking a number: asking for a QR code, and waiting until the host shows one.

use hantar_domain::device::{Device, PAIRING_WANTED, PairingCode};
use hantar_domain::ids::DeviceId;

use crate::looks::{Looks, PATIENCE};
use crate::ports::{Clock, DeviceChange, PortError, Sleep, Tenant};

/// What came of asking for a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linking {
    /// Scan this.
    Code(Box<Device>, PairingCode),
    /// The host has not shown a code yet: ask again.
    NotYet(Box<Device>),
    /// A number is linked already.
    Linked(Box<Device>),
    /// There is no such device.
    Missing,
}

/// Asks for a QR code of `device` (the default one when absent) and waits up to ten seconds for it. Repeatable:
/// each run keeps pairing going for three more minutes.
pub async fn link_device(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    sleep: &dyn Sleep,
    device: Option<DeviceId>,
) -> Result<Linking, PortError> {
    let Some(mut device) = find_device(tenant, device).await? else { return Ok(Linking::Missing) };
    let asked_at = clock.now();
    device = want_pairing(tenant, clock, device).await?;
    let mut looks = Looks::new();
    loop {
        if device.status.is_linked() {
            return Ok(Linking::Linked(Box::new(device)));
        }
        let now = clock.now();
        if let Some(code) = device.pairing_code.clone().filter(|code| code.expires_at > now) {
            return Ok(Linking::Code(Box::new(device), code));
        }
        if now.since(asked_at) >= PATIENCE || !looks.next(sleep).await {
            return Ok(Linking::NotYet(Box::new(device)));
        }
        match tenant.device(device.id).await? {
            Some(seen) => device = seen,
            None => return Ok(Linking::Missing),
        }
    }
}

/// Keeps pairing going for three more minutes and does not wait for a code; answers the device as it is then. Changes
/// nothing when a number is linked already.
pub async fn want_pairing(tenant: &dyn Tenant, clock: &dyn Clock, device: Device) -> Result<Device, PortError> {
    if device.status.is_linked() {
        return Ok(device);
    }
    let wanted = DeviceChange::PairingWanted(clock.now() + PAIRING_WANTED);
    Ok(tenant.change_device(device.id, &wanted, None).await?.unwrap_or(device))
}

/// The named device, or the default one.
pub async fn find_device(tenant: &dyn Tenant, device: Option<DeviceId>) -> Result<Option<Device>, PortError> {
    match device {
        Some(id) => tenant.device(id).await,
        None => Ok(tenant.devices().await?.into_iter().find(|device| device.is_default)),
    }
}
