//! Linking a companion: QR references out, a phone scans one, both sides sign the device identity, and the client
//! is told to connect again (515).

use std::collections::HashMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use buffa::Message as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use wacore::pair::PairUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::{CurveError, KeyPair};
use waproto::whatsapp::client_payload::DevicePairingRegistrationData;
use waproto::whatsapp::{
    ADVDeviceIdentity, ADVSignedDeviceIdentity, ADVSignedDeviceIdentityHMAC, ClientPairingProps, ClientPayload,
};

use crate::entropy::key_rng;
use crate::network::accounts::{FIRST_DEVICE, SignedPreKey};
use crate::network::delivery::DeviceQueue;
use crate::network::pair_code::CodeRequests;
use crate::network::passkey_links::PasskeyLinks;
use crate::network::presence::ChatStates;
use crate::network::{Account, Count, Device, Network, NetworkError, Outbound, State};
use crate::signal::SignalError;
use crate::{stanza, time};

/// A client shows one QR code after the other, six in all.
const REFERENCES: usize = 6;
const MAX_OFFERS: usize = 60_000;
/// whatsapp-rust marks the disconnect as expected only after it sent its signature: a 515 within microseconds
/// makes it drop its next connection too.
const RESTART_DELAY: Duration = Duration::from_millis(80);
/// What an account signature covers begins with these bytes.
const ACCOUNT_SIGNATURE_PREFIX: [u8; 2] = [6, 0];

/// The companion a scan made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paired {
    /// The account's phone digits.
    pub phone: String,
    /// The account's LID digits.
    pub lid: String,
    /// The new companion's device number.
    pub device: u16,
}

#[derive(Default)]
pub(crate) struct Pairings {
    /// By the reference in the QR code.
    offers: HashMap<String, Offer>,
    /// Scanned, not yet signed by the companion; by the id of the IQ it answers.
    unsigned: HashMap<String, Unsigned>,
    pub(crate) codes: CodeRequests,
    pub(crate) passkeys: PasskeyLinks,
}

/// A client that shows a QR code or a code.
pub(crate) struct Offer {
    pub(crate) connection: u64,
    pub(crate) outbound: Outbound,
    name: Option<String>,
    registration: DevicePairingRegistrationData,
}

struct Unsigned {
    connection: u64,
    account: usize,
    number: u16,
    device: Device,
    /// Whether the client said a name; one that did not learns its own from the phone.
    named: bool,
}

impl State {
    pub(crate) fn offer_pairing(&mut self, connection: u64, payload: &ClientPayload, outbound: &Outbound) {
        let Some(registration) = payload.device_pairing_data.as_option() else { return };
        if self.pairings.offers.len() + REFERENCES > MAX_OFFERS {
            outbound.close();
            return;
        }
        let name = payload.push_name.as_deref().map(clean_name).filter(|name| !name.is_empty());
        let mut references = Vec::with_capacity(REFERENCES);
        for _ in 0..REFERENCES {
            let reference = self.ids.pairing_reference();
            references.push(stanza::holding("ref", reference.as_bytes()));
            let offer = Offer {
                connection,
                outbound: outbound.clone(),
                name: name.clone(),
                registration: registration.clone(),
            };
            self.pairings.offers.insert(reference, offer);
        }
        let pair_device = NodeBuilder::new("pair-device").children(references).build();
        let id = self.ids.stanza_id();
        outbound.send(pairing_iq(&id, pair_device, self.now_seconds()));
    }

    pub(crate) fn forget_pairings_of(&mut self, connection: u64) {
        if !self.pairings.offers.is_empty() {
            self.pairings.offers.retain(|_, offer| offer.connection != connection);
        }
        if !self.pairings.unsigned.is_empty() {
            self.pairings.unsigned.retain(|_, unsigned| unsigned.connection != connection);
        }
        self.pairings.passkeys.forget(connection);
    }
}

impl State {
    /// Links the client behind an offer: at once, or when its owner's passkey answered, where the account wants that.
    /// Gives the companion it will be.
    fn link(
        &mut self,
        account: usize,
        offer: Offer,
        identity: &[u8; 32],
        secret: &[u8],
    ) -> Result<Paired, NetworkError> {
        let Some(entry) = self.accounts.get_mut(account) else {
            return Err(NetworkError::Qr("its account is gone"));
        };
        let number = entry.next_device;
        entry.next_device += 1;
        let paired = Paired { phone: entry.phone.to_string(), lid: entry.lid.to_string(), device: number };
        if entry.gate.is_closed() {
            self.ask_for_passkey(account, number, offer)?;
        } else {
            self.vouch(account, number, offer, identity, secret)?;
        }
        Ok(paired)
    }

    /// Vouches for the client behind an offer and tells it so; it is a companion once it has signed.
    pub(crate) fn vouch(
        &mut self,
        account: usize,
        number: u16,
        offer: Offer,
        identity: &[u8; 32],
        secret: &[u8],
    ) -> Result<(), NetworkError> {
        let (id, now) = (self.ids.stanza_id(), self.now_seconds());
        let Some(entry) = self.accounts.get_mut(account) else {
            return Err(NetworkError::Qr("its account is gone"));
        };
        let key_index = u32::from(number - FIRST_DEVICE) + 1;
        let signed = sign_device(entry, (account, now), key_index, identity, secret)
            .map_err(|error| SignalError::Keys(error.into()))?;
        entry.gate.remember(secret);
        offer.outbound.send(pairing_iq(&id, pair_success(entry, number, signed), now));
        let device = new_device(key_index, identity, offer.registration);
        let unsigned = Unsigned { connection: offer.connection, account, number, device, named: offer.name.is_some() };
        self.pairings.unsigned.insert(id, unsigned);
        Ok(())
    }

    /// Links the client behind a connection to an account: a code was typed instead of a QR code scanned.
    pub(crate) fn link_by_code(
        &mut self,
        account: usize,
        outbound: &Outbound,
        identity: &[u8; 32],
        secret: &[u8],
    ) -> Result<Paired, NetworkError> {
        let offers = &mut self.pairings.offers;
        let reference = offers.iter().find(|(_, offer)| offer.outbound.is_same(outbound)).map(|(key, _)| key.clone());
        let offer = reference.and_then(|reference| offers.remove(&reference));
        let offer = offer.ok_or(NetworkError::Qr("its connection is gone"))?;
        offers.retain(|_, other| other.connection != offer.connection);
        self.link(account, offer, identity, secret)
    }
}

impl Network {
    /// A phone scans a QR code. `phone` says which; without it the account is found by the client's push name (same
    /// name, same account, next device number) and made when there is none.
    pub fn scan_qr(&self, qr: &str, phone: Option<&str>) -> Result<Paired, NetworkError> {
        // Other clients put https://wa.me/settings/linked_devices# in front.
        let qr = qr.trim().rsplit('#').next().unwrap_or(qr);
        let (reference, _noise, identity) =
            PairUtils::parse_qr_code(qr).map_err(|_| NetworkError::Qr("it cannot be read"))?;
        let secret = qr.split(',').nth(3).and_then(|secret| BASE64_STANDARD.decode(secret).ok());
        let secret = secret.ok_or(NetworkError::Qr("its secret cannot be read"))?;

        let mut state = self.state();
        let scanner = phone.map(|phone| state.known_phone(phone)).transpose()?;
        let offer = state.pairings.offers.remove(&reference);
        let offer = offer.ok_or(NetworkError::Qr("its reference is not on offer"))?;
        state.pairings.offers.retain(|_, other| other.connection != offer.connection);
        let account = match (scanner, &offer.name) {
            (Some(account), _) => account,
            (None, Some(name)) => state.account_by_name(name)?,
            (None, None) => state.add_account(None, "Someone")?,
        };
        state.link(account, offer, &identity, &secret)
    }

    /// The companion's answer to `pair-success`: with its signature the device exists.
    pub(crate) fn companion_signed(&self, id: &str, answer: &Node, outbound: &Outbound) {
        let signature = answer.get_optional_child("pair-device-sign");
        let identity = stanza::bytes(signature.and_then(|sign| sign.get_optional_child("device-identity")));
        if identity.is_empty() {
            return;
        }
        {
            let mut state = self.state();
            let Some(mut unsigned) = state.pairings.unsigned.remove(id) else { return };
            unsigned.device.signed_identity = identity;
            state.seed_app_state(unsigned.account, !unsigned.named);
            let Some(account) = state.accounts.get_mut(unsigned.account) else { return };
            account.devices.insert(unsigned.number, unsigned.device);
            state.tell_devices(unsigned.account, unsigned.number, true);
            state.pairings.codes.forget(outbound);
        }
        self.count(Count::DevicesPaired);
        let outbound = outbound.clone();
        tokio::spawn(async move {
            time::pause(RESTART_DELAY).await;
            outbound.send(NodeBuilder::new("stream:error").attr("code", "515").build());
            outbound.close();
        });
    }
}

/// A name as it may stand in an attribute: with an `@` in it, clients would read a JID and drop the stanza.
pub(crate) fn clean_name(name: &str) -> String {
    name.trim().chars().filter(|character| *character != '@' && !character.is_control()).take(100).collect()
}

fn pairing_iq(id: &str, content: Node, now: u64) -> Node {
    NodeBuilder::new("iq")
        .attr("from", stanza::server())
        .attr("id", id)
        .attr("type", "set")
        .attr("xmlns", "md")
        .attr("t", now)
        .children([content])
        .build()
}

/// The phone vouches for the companion: its signature over the device identity, and an HMAC with the secret that
/// only who saw the QR code knows.
fn sign_device(
    account: &Account,
    (index, now): (usize, u64),
    key_index: u32,
    companion: &[u8; 32],
    secret: &[u8],
) -> Result<Vec<u8>, CurveError> {
    let details = ADVDeviceIdentity {
        raw_id: Some(raw_id(index)),
        timestamp: Some(now),
        key_index: Some(key_index),
        ..Default::default()
    }
    .encode_to_vec();
    let covered = [&ACCOUNT_SIGNATURE_PREFIX[..], &details, companion].concat();
    let identity: &KeyPair = &account.identity;
    let signed = ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(identity.public_key.public_key_bytes().to_vec()),
        account_signature: Some(identity.calculate_signature(&covered, &mut key_rng())?.to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret).ok().map(|mut mac| {
        mac.update(&signed);
        mac.finalize().into_bytes().to_vec()
    });
    Ok(ADVSignedDeviceIdentityHMAC { details: Some(signed), hmac: mac, ..Default::default() }.encode_to_vec())
}

/// The id an account's device list carries; it only has to stay the same.
pub(crate) fn raw_id(account: usize) -> u32 {
    u32::try_from(account).unwrap_or(u32::MAX - 7) + 7
}

fn pair_success(account: &Account, number: u16, signed: Vec<u8>) -> Node {
    let migrated = Some(account.migrated_at.is_some());
    let props = ClientPairingProps { is_chat_db_lid_migrated: migrated, ..Default::default() }.encode_to_vec();
    let device = NodeBuilder::new("device")
        .attr("jid", Jid::pn_device(account.phone.as_ref(), number))
        .attr("lid", Jid::lid_device(account.lid.as_ref(), number));
    NodeBuilder::new("pair-success")
        .children([
            stanza::holding("device-identity", signed),
            NodeBuilder::new("platform").attr("name", "android").build(),
            device.build(),
            stanza::holding("client-props", props),
        ])
        .build()
}

fn new_device(key_index: u32, identity: &[u8; 32], registration: DevicePairingRegistrationData) -> Device {
    let id = registration.e_regid.unwrap_or_default();
    Device {
        key_index,
        registration: id.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte)),
        identity: identity.to_vec(),
        signed: SignedPreKey {
            id: registration.e_skey_id.unwrap_or_default(),
            key: registration.e_skey_val.unwrap_or_default(),
            signature: registration.e_skey_sig.unwrap_or_default(),
        },
        one_time: std::collections::VecDeque::new(),
        signed_identity: Vec::new(),
        connected: None,
        queue: DeviceQueue::default(),
        keys_shared: false,
        notify: None,
        chat_states: ChatStates::new(),
        missed_presence: std::collections::BTreeSet::new(),
    }
}
