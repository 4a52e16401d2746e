//! Bodies of queue messages: doorbells, and things put aside for a person.
//!
//! Old bodies wait in queues while a release is rolled out, so kinds and fields are added, never renamed. A process of an
//! older release parks a kind that it does not know: whoever receives is rolled out before whoever sends.

use hantar_domain::ids::{AccountId, CommandId, DeviceId, EndpointId};
use hantar_domain::webhook::EventId;
use serde::{Deserialize, Serialize};

/// A doorbell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// A device has work.
    Device {
        /// The account's number.
        account: u64,
        /// The device's number.
        device: u64,
    },
    /// Somebody waits for a command to be carried out.
    Command {
        /// The account's number.
        account: u64,
        /// The device's number.
        device: u64,
        /// The command's id.
        command: String,
    },
    /// A delivery is due.
    Delivery {
        /// The account's number.
        account: u64,
        /// The endpoint's number.
        endpoint: u64,
        /// The event's id.
        event: String,
    },
    /// A step of long work is due.
    Work {
        /// The account's number.
        account: u64,
        /// The work's name, such as `campaign-7`.
        work: String,
    },
}

/// Something that nobody could handle, with the code that says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// A stable code.
    pub code: String,
    /// What it was, in words for a person.
    pub text: String,
}

impl Job {
    /// The doorbell of a device.
    pub const fn device(account: AccountId, device: DeviceId) -> Self {
        Self::Device { account: account.0, device: device.0 }
    }

    /// The doorbell of a command.
    pub fn command(account: AccountId, device: DeviceId, command: CommandId) -> Self {
        Self::Command { account: account.0, device: device.0, command: command.to_string() }
    }

    /// The doorbell of a delivery.
    pub fn delivery(account: AccountId, endpoint: EndpointId, event: &EventId) -> Self {
        Self::Delivery { account: account.0, endpoint: endpoint.0, event: event.0.clone() }
    }

    /// The doorbell of long work.
    pub fn work(account: AccountId, work: &str) -> Self {
        Self::Work { account: account.0, work: work.to_owned() }
    }

    /// The body. Numbers and texts always have one.
    pub fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The doorbell with this body; `None` when the body is none of ours.
    pub fn parse(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }
}

impl Parked {
    /// The body.
    pub fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_what_they_always_were_and_lead_back() {
        let device = Job::device(AccountId(1), DeviceId(2));
        assert_eq!(device.body(), r#"{"kind":"device","account":1,"device":2}"#);
        let delivery = Job::delivery(AccountId(1), EndpointId(3), &EventId("msg_1_2_0".into()));
        assert_eq!(delivery.body(), r#"{"kind":"delivery","account":1,"endpoint":3,"event":"msg_1_2_0"}"#);
        let command = Job::command(AccountId(1), DeviceId(2), CommandId([0x1f; 16]));
        let id = "1f".repeat(16);
        assert_eq!(command.body(), format!(r#"{{"kind":"command","account":1,"device":2,"command":"{id}"}}"#));
        let work = Job::work(AccountId(1), "campaign-7");
        assert_eq!(work.body(), r#"{"kind":"work","account":1,"work":"campaign-7"}"#);
        for job in [device, delivery, command, work] {
            assert_eq!(Job::parse(&job.body()), Some(job));
        }
        let parked = Parked { code: "poison_row".into(), text: "why".into() };
        assert_eq!(parked.body(), r#"{"code":"poison_row","text":"why"}"#);
    }

    #[test]
    fn a_body_of_another_kind_is_none_of_ours_and_a_new_field_does_no_harm() {
        for body in ["", "[]", "{}", r#"{"kind":"later","account":1}"#, r#"{"kind":"device","account":1}"#] {
            assert_eq!(Job::parse(body), None, "{body}");
        }
        let newer = r#"{"kind":"device","account":1,"device":2,"hint":3}"#;
        assert_eq!(Job::parse(newer), Some(Job::device(AccountId(1), DeviceId(2))));
    }
}
