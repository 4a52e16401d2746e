//! Asking whether somebody uses WhatsApp at a phone number.
//!
//! It is asked of WhatsApp each time: people come and go. Asking much harms the number that asks, so the device's host
//! counts; see `device-host`.

use hantar_domain::ids::{AccountId, DeviceId};
use hantar_domain::phone::{PhoneError, PhoneNumber, Region};

use crate::ask_device::{AskError, Asking};
use crate::ports::{Answer, Ask, Person, PortError, Tenant};

/// What is known of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The number, as it was understood.
    pub phone: PhoneNumber,
    /// Who is there; `None`: nobody.
    pub person: Option<Person>,
}

/// Why a number is not looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// It is no number of the account's regions (named by the home region's adjective): mend it.
    #[error("not a number to look up: {error}")]
    Phone {
        /// Such as "Malaysian".
        adjective: String,
        /// More exactly.
        error: PhoneError,
    },
    /// The account has no such device.
    #[error("no such device")]
    NoDevice,
    /// No number is linked to the device, so that nobody can ask: link one first.
    #[error("no number is linked to the device")]
    NotLinked,
    /// The device did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl From<PortError> for LookUpError {
    fn from(error: PortError) -> Self {
        Self::Ask(error.into())
    }
}

/// Looks up who is at `phone`, in any spelling, by asking through `device`. Repeatable.
pub async fn look_up_number(
    tenant: &dyn Tenant,
    asking: Asking<'_>,
    account: AccountId,
    device: DeviceId,
    phone: &str,
) -> Result<Looked, LookUpError> {
    let record = tenant.account().await?.ok_or_else(|| PortError::Corrupt(format!("account {account} is missing")))?;
    let adjective = record.regions.first().copied().unwrap_or(Region::MALAYSIA).adjective();
    let phone = PhoneNumber::parse(phone, &record.regions).map_err(|error| LookUpError::Phone { adjective, error })?;
    let device = tenant.device(device).await?.ok_or(LookUpError::NoDevice)?;
    if !device.status.is_linked() {
        return Err(LookUpError::NotLinked);
    }
    let Answer::Number(person) = asking.ask(tenant, account, device.id, Ask::Number(phone.clone())).await?;
    Ok(Looked { phone, person })
}
