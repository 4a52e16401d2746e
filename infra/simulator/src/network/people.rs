//! What a person does with a phone: get one, switch it off, read, unlink a companion.

use std::time::Duration;

use serde::Serialize;

use crate::handshake::Pattern;
use crate::network::pairing::clean_name;
use crate::network::{MAX_WAIT, Network, NetworkError, PhoneMessage};
use crate::{stanza, time};

/// An account as the admin API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneView {
    /// Phone digits.
    pub phone: String,
    /// The person's name.
    pub name: String,
    /// LID digits.
    pub lid: String,
    /// Whether the phone is on.
    pub online: bool,
    /// The linked companions.
    pub devices: Vec<CompanionView>,
}

/// A linked companion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CompanionView {
    /// The device number.
    pub id: u16,
    /// Whether it is logged in now.
    pub connected: bool,
    /// How its connection shook hands; absent while it is away.
    pub handshake: Option<Pattern>,
    /// How many stanzas it has not acknowledged yet.
    pub queued: usize,
}

impl Network {
    /// Adds an account with a phone and no companion. `phone` may begin with `+`.
    pub fn create_phone(&self, phone: &str, name: &str) -> Result<PhoneView, NetworkError> {
        let digits = digits("phone", phone)?;
        let name = clean_name(name);
        if name.is_empty() {
            return Err(NetworkError::invalid("name", "must not be empty"));
        }
        self.state().add_account(Some(digits), &name)?;
        self.phone(digits)
    }

    /// All accounts, in the order they were made.
    pub fn phones(&self) -> Vec<PhoneView> {
        self.state().accounts.iter().map(view).collect()
    }

    /// One account.
    pub fn phone(&self, phone: &str) -> Result<PhoneView, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        state.accounts.get(account).map(view).ok_or_else(|| NetworkError::UnknownPhone(phone.to_owned()))
    }

    /// Switches a phone on or off. Off, it gives no sign of life: what arrives waits until it is on again.
    pub fn set_online(&self, phone: &str, online: bool) -> Result<(), NetworkError> {
        let account = self.state().known_phone(phone)?;
        self.switch(account, online, self.now_ms());
        Ok(())
    }

    /// The same for an account by its number, as of the moment when it was to happen.
    pub(crate) fn switch(&self, account: usize, online: bool, moment_ms: u64) {
        let waiting = {
            let mut state = self.state();
            let entry = state.accounts.get_mut(account);
            let waiting = entry.map(|entry| {
                entry.online = online;
                if online { std::mem::take(&mut entry.waiting) } else { std::collections::VecDeque::new() }
            });
            waiting.unwrap_or_default()
        };
        for delivery in waiting {
            self.hand_to_phone(account, delivery);
        }
        let companions: Vec<u16> =
            self.state().accounts.get(account).into_iter().flat_map(|entry| entry.devices.keys().copied()).collect();
        for companion in companions {
            self.share_keys_once(account, companion);
        }
        if online {
            self.state().resume_scripts(account, moment_ms);
        }
    }

    /// What the phone shows, in order of arrival.
    pub fn messages(&self, phone: &str) -> Result<Vec<PhoneMessage>, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        Ok(state.accounts.get(account).map(|account| account.chat.list()).unwrap_or_default())
    }

    /// What the phone shows once at least `count` messages of others arrived since the start, or after `limit`
    /// (cut at 30 s), whichever is first.
    pub async fn wait_for_messages(
        &self,
        phone: &str,
        count: usize,
        limit: Duration,
    ) -> Result<Vec<PhoneMessage>, NetworkError> {
        let mut inbound = {
            let state = self.state();
            let account = state.known_phone(phone)?;
            let account = state.accounts.get(account).ok_or_else(|| NetworkError::UnknownPhone(phone.to_owned()))?;
            account.chat.watch_inbound()
        };
        let enough = inbound.wait_for(|arrived| *arrived >= count);
        let _in_time = time::at_most(limit.min(MAX_WAIT), enough).await.is_some();
        self.messages(phone)
    }

    /// The person reads messages of others, all unread ones or those with these ids; who sent them gets read receipts.
    /// Gives how many were unread.
    pub fn mark_read(&self, phone: &str, ids: Option<&[String]>) -> Result<usize, NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let read = state.accounts.get_mut(account).map(|entry| entry.chat.mark_read(ids)).unwrap_or_default();
        Ok(state.tell_of_reading(account, read, "read"))
    }

    /// The person plays messages of others with these ids, those that can be played; who sent them is told. Gives how
    /// many there were.
    pub fn mark_played(&self, phone: &str, ids: &[String]) -> Result<usize, NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let played = state.accounts.get_mut(account).map(|entry| entry.chat.mark_played(ids)).unwrap_or_default();
        Ok(state.tell_of_reading(account, played, "played"))
    }

    /// The person unlinks a companion, or all of them. Gives how many.
    pub fn unlink(&self, phone: &str, device: Option<u16>) -> Result<usize, NetworkError> {
        let (account, devices) = {
            let state = self.state();
            let account = state.known_phone(phone)?;
            let linked: Vec<u16> =
                state.accounts.get(account).into_iter().flat_map(|account| account.devices.keys().copied()).collect();
            (account, linked)
        };
        let chosen: Vec<u16> =
            devices.into_iter().filter(|linked| device.is_none_or(|device| device == *linked)).collect();
        if let (Some(device), true) = (device, chosen.is_empty()) {
            return Err(NetworkError::UnknownDevice(device));
        }
        for device in &chosen {
            self.remove_device(account, *device);
        }
        Ok(chosen.len())
    }

    /// Ends a companion: its connection is told, its queue and keys are gone, later log-ins fail with 401.
    pub(crate) fn remove_device(&self, account: usize, device: u16) {
        let mut state = self.state();
        let removed = state.accounts.get_mut(account).and_then(|account| account.devices.remove(&device));
        if let Some(connected) = removed.and_then(|device| device.connected) {
            connected.outbound.send(stanza::conflict("device_removed", Some("401")));
            connected.outbound.close();
        }
        state.tell_devices(account, device, false);
    }
}

/// Phone digits from what a person typed.
pub(crate) fn digits<'a>(field: &'static str, phone: &'a str) -> Result<&'a str, NetworkError> {
    let digits = phone.strip_prefix('+').unwrap_or(phone);
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NetworkError::invalid(field, "must be 7 to 15 digits"));
    }
    Ok(digits)
}

fn view(account: &crate::network::Account) -> PhoneView {
    let companion = |(id, device): (&u16, &crate::network::Device)| CompanionView {
        id: *id,
        connected: device.connected.is_some(),
        handshake: device.connected.as_ref().map(|connected| connected.pattern),
        queued: device.queue.len(),
    };
    PhoneView {
        phone: account.phone.to_string(),
        name: account.name.clone(),
        lid: account.lid.to_string(),
        online: account.online,
        devices: account.devices.iter().map(companion).collect(),
    }
}
