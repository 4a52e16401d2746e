//! Devices: how they stand, and the QR code that links a number.

use hantar_domain::device::{Device, PairingCode, Status};
use hantar_domain::reason::explain;
use hantar_domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::message::Reason;
use super::time;

/// A connected device that showed no frame for this many seconds is called stale: the host writes the moment of the
/// last one about once a minute, and WhatsApp's keep-alive comes twice as often.
const STALE_AFTER_SECONDS: u64 = 180;

/// What `GET connection/status` answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionBody {
    /// How numbers are connected: `linked`, as a companion of the phone.
    pub driver: &'static str,
    /// The account's devices.
    pub devices: Vec<DeviceBody>,
}

impl ConnectionBody {
    /// Of these devices at `now`.
    pub fn new(devices: &[Device], now: Timestamp) -> Self {
        Self { driver: "linked", devices: devices.iter().map(|device| DeviceBody::new(device, now)).collect() }
    }
}

/// A device as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceBody {
    /// Its number.
    pub id: u64,
    /// What its owner calls it.
    pub name: String,
    /// The linked number.
    pub phone: Option<String>,
    /// `unlinked`, `pairing`, `connecting`, `connected`, `disconnected`, `logged_out`, `outdated` or `banned`.
    pub status: &'static str,
    /// Whether it is meant where a request names none.
    pub is_default: bool,
    /// When it last became connected.
    pub connected_at: Option<String>,
    /// When a frame of WhatsApp's was last seen; written about once a minute.
    pub last_seen_at: Option<String>,
    /// How well it is.
    pub health: Health,
}

/// How well a device is, by evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// How long ago WhatsApp was last heard.
    pub seconds_since_last_frame: Option<u64>,
    /// `ok`, `stale` (connected, but not heard of for some minutes) or `down`.
    pub state: &'static str,
    /// Why it is not well.
    pub reason: Option<Reason>,
}

impl DeviceBody {
    /// At `now`.
    pub fn new(device: &Device, now: Timestamp) -> Self {
        let silent = device.last_seen_at.map(|seen| now.since(seen).as_secs());
        let state = match device.status {
            Status::Connected if silent.is_some_and(|seconds| seconds > STALE_AFTER_SECONDS) => "stale",
            Status::Connected => "ok",
            _ => "down",
        };
        let reason = device.reason.as_ref().map(|code| Reason { code: code.clone(), message: explain(code) });
        Self {
            id: device.id.0,
            name: device.name.clone(),
            phone: device.phone.as_ref().map(ToString::to_string),
            status: device.status.word(),
            is_default: device.is_default,
            connected_at: device.connected_at.map(time::text),
            last_seen_at: device.last_seen_at.map(time::text),
            health: Health { seconds_since_last_frame: silent, state, reason },
        }
    }
}

/// What `GET connection/qr` answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct QrBody {
    /// The device.
    pub device: u64,
    /// A picture of the code: a `data:` URL of a PNG.
    pub qr: String,
    /// The code's raw text.
    pub code: String,
    /// When WhatsApp stops taking it; ask again then.
    pub expires_at: String,
}

impl QrBody {
    /// Of a code and its picture.
    pub fn new(device: &Device, code: PairingCode, picture: String) -> Self {
        Self { device: device.id.0, qr: picture, code: code.text, expires_at: time::text(code.expires_at) }
    }
}
