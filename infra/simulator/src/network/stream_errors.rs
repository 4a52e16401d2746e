//! Stream errors: how the server ends a connection with a word. What each code looks like on the wire is in one place.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::network::{Network, NetworkError, State};
use crate::stanza;

/// The codes a stream error or a failure can have (`failureParser` of WhatsApp Web takes no others).
const CODES: std::ops::RangeInclusive<u16> = 400..=599;
const DEVICE_REMOVED: u16 = 401;
const CONFLICT: u16 = 409;

pub(crate) fn check(field: &'static str, code: u16) -> Result<(), NetworkError> {
    if CODES.contains(&code) { Ok(()) } else { Err(NetworkError::invalid(field, "must be from 400 to 599")) }
}

/// 401 comes as "device removed" and 409 as "replaced by another connection", as the real server says them; all others
/// (515 asks to connect again, 403, 405, 500, 503) come as they are.
pub(crate) fn stream_error(code: u16) -> Node {
    match code {
        DEVICE_REMOVED => stanza::conflict("device_removed", Some("401")),
        CONFLICT => stanza::conflict("replaced", None),
        other => NodeBuilder::new("stream:error").attr("code", other).build(),
    }
}

impl Network {
    /// Ends the connections of an account, or of one of its companions, with a stream error. Gives how many.
    pub fn stream_error(&self, phone: &str, device: Option<u16>, code: u16) -> Result<usize, NetworkError> {
        check("code", code)?;
        let state = self.state();
        state.known_phone(phone)?;
        Ok(state.for_connections(
            |owner, number| owner == phone && device.is_none_or(|device| device == number),
            |outbound| {
                outbound.send(stream_error(code));
                outbound.close();
            },
        ))
    }

    /// Cuts the sockets of an account, or of one of its companions, without a word. Gives how many were cut.
    pub fn disconnect(&self, phone: &str, device: Option<u16>) -> Result<usize, NetworkError> {
        let state = self.state();
        state.known_phone(phone)?;
        Ok(state.cut_connections(|owner, number| owner == phone && device.is_none_or(|device| device == number)))
    }
}

impl State {
    /// Cuts the sockets of the companions that are chosen by phone and device. Gives how many.
    pub(crate) fn cut_connections(&self, chosen: impl Fn(&str, u16) -> bool) -> usize {
        self.for_connections(chosen, crate::network::Outbound::cut)
    }

    fn for_connections(&self, chosen: impl Fn(&str, u16) -> bool, act: impl Fn(&crate::network::Outbound)) -> usize {
        let mut count = 0;
        for account in &self.accounts {
            for (number, companion) in &account.devices {
                if let Some(connected) = &companion.connected
                    && chosen(&account.phone, *number)
                {
                    act(&connected.outbound);
                    count += 1;
                }
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_looks_as_the_real_server_says_it() {
        for (code, xml) in [
            (515, r#"<stream:error code="515"/>"#),
            (500, r#"<stream:error code="500"/>"#),
            (409, r#"<stream:error><conflict type="replaced"/></stream:error>"#),
            (401, r#"<stream:error code="401"><conflict type="device_removed"/></stream:error>"#),
        ] {
            assert_eq!(stanza::to_xml(&stream_error(code), 200), xml);
        }
        assert!(check("code", 399).is_err() && check("code", 600).is_err());
    }
}
