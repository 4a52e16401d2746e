//! Connections coming and going: who a connection is, log-in, conflict, cutting.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp::ClientPayload;

use crate::handshake::Pattern;
use crate::network::accounts::Connected;
use crate::network::fault_rules::Refusal;
use crate::network::{Count, Network, Outbound, State};
use crate::stanza;

/// A companion's logged-in connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) account: usize,
    pub(crate) device: u16,
    pub(crate) connection: u64,
}

impl Session {
    pub(crate) fn device(self) -> u16 {
        self.device
    }
}

/// What a connection turned out to be.
pub(crate) enum Opened {
    /// A paired companion, with its account's phone number.
    Companion(Session, Arc<str>),
    /// A client that wants to pair.
    Pairing,
    /// Neither: a failure was written and the connection is closing.
    Refused,
}

impl Network {
    /// Numbers a new connection, so that it can be cut at shut-down.
    pub(crate) fn connected(&self, outbound: &Outbound) -> u64 {
        self.count(Count::ConnectionsOpened);
        let mut state = self.state();
        state.last_connection += 1;
        let number = state.last_connection;
        state.connections.insert(number, outbound.clone());
        number
    }

    pub(crate) fn shook_hands(&self, pattern: Pattern, edge_routed: bool) {
        self.count(match pattern {
            Pattern::Xx => Count::HandshakesXx,
            Pattern::Ik => Count::HandshakesIk,
            Pattern::XxFallback => Count::HandshakesXxFallback,
        });
        if edge_routed {
            self.count(Count::EdgeRouted);
        }
    }

    /// Decides, after the handshake, what a connection is.
    pub(crate) fn opened(
        &self,
        connection: u64,
        pattern: Pattern,
        payload: &ClientPayload,
        outbound: &Outbound,
    ) -> Opened {
        let mut state = self.state();
        if payload.device_pairing_data.is_set() {
            self.count(Count::QrCodesOffered);
            state.offer_pairing(connection, payload, outbound);
            return Opened::Pairing;
        }
        match state.log_in(connection, pattern, payload, outbound) {
            Ok((session, phone)) => {
                self.count(Count::LogIns);
                Opened::Companion(session, phone)
            }
            Err(refusal) => {
                self.count(Count::LogInsRefused);
                outbound.send(failure(refusal));
                outbound.close();
                Opened::Refused
            }
        }
    }

    /// Forgets a connection.
    pub(crate) fn disconnected(&self, connection: u64, session: Option<Session>) {
        let mut state = self.state();
        state.connections.remove(&connection);
        state.forget_pairings_of(connection);
        if let Some(device) = session.and_then(|session| state.device(session.account, session.device))
            && device.connected.as_ref().is_some_and(|connected| connected.connection == connection)
        {
            device.connected = None;
            if let Some(session) = session {
                state.set_available(session.account, session.device, false);
            }
        }
    }

    /// Cuts every socket.
    pub(crate) fn cut_all(&self) {
        self.state().connections.values().for_each(Outbound::cut);
    }
}

impl State {
    /// Puts a connection in a device's place, or says why not.
    fn log_in(
        &mut self,
        connection: u64,
        pattern: Pattern,
        payload: &ClientPayload,
        outbound: &Outbound,
    ) -> Result<(Session, Arc<str>), Refusal> {
        const UNKNOWN: Refusal = Refusal { reason: 401, ban: None };
        let phone = payload.username.ok_or(UNKNOWN)?.to_string();
        let number = payload.device.and_then(|device| u16::try_from(device).ok()).ok_or(UNKNOWN)?;
        let account = self.account_by_phone(&phone).ok_or(UNKNOWN)?;
        if let Some(refusal) = self.faults.login_failure((&phone, number)) {
            return Err(refusal);
        }
        let now = self.now_seconds();
        let entry = self.accounts.get_mut(account).ok_or(UNKNOWN)?;
        let (lid, phone) = (Arc::clone(&entry.lid), Arc::clone(&entry.phone));
        let device = entry.devices.get_mut(&number).ok_or(UNKNOWN)?;
        if let Some(older) = device.connected.take() {
            older.outbound.send(stanza::conflict("replaced", None));
            older.outbound.close();
        }
        device.connected = Some(Connected { connection, outbound: outbound.clone(), pattern, active: false });
        outbound.send(success(Jid::lid_device(lid.as_ref(), number), now));
        Ok((Session { account, device: number, connection }, phone))
    }
}

/// Of a ban, `expire` is how long it still lasts (a duration, as WhatsApp Web reads it).
fn failure(refusal: Refusal) -> Node {
    let failure = NodeBuilder::new("failure").attr("reason", refusal.reason).attr("location", "sim");
    match refusal.ban {
        Some((code, seconds)) => failure.attr("code", code).attr("expire", seconds).build(),
        None => failure.build(),
    }
}

fn success(lid: Jid, now: u64) -> Node {
    NodeBuilder::new("success")
        .attr("t", now)
        .attr("lid", lid)
        .attr("location", "sim")
        .attr("props", "27")
        .attr("abprops", "2")
        .build()
}
