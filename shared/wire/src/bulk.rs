//! The rows of a bulk as they are written down between its acceptance and the storing of its messages: a JSON object in each
//! line, read back by whichever process finishes the bulk, of this release or the next.

use std::collections::BTreeMap;

use hantar_domain::bulk::{Kept, Row};
use hantar_domain::ids::{AccountId, DeviceId, MessageId, StanzaId};
use hantar_domain::media::Media;
use hantar_domain::message::{Direction, Lane, Message, State, Step};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Line {
    id: u64,
    device: u64,
    phone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    lane: String,
    stanza: String,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_until: Option<i64>,
    credits: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<KeptLine>,
}

#[derive(Serialize, Deserialize)]
struct KeptLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// Writes rows down.
pub fn write(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in rows {
        if let Ok(line) = serde_json::to_vec(&line(row)) {
            bytes.extend(line);
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Reads what [`write`] wrote. `None` when it is damaged.
pub fn read(account: AccountId, bytes: &[u8]) -> Option<Vec<Row>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| row(account, serde_json::from_slice(line).ok()?)).collect()
}

fn line(row: &Row) -> Line {
    let Row { message, kept } = row;
    Line {
        id: message.id.0,
        device: message.device.0,
        phone: message.phone.as_ref().map(|phone| phone.digits().to_owned()).unwrap_or_default(),
        name: message.name.clone(),
        body: message.body.clone(),
        media: message.media.as_ref().map(Media::written),
        external_id: message.external_id.clone(),
        lane: message.lane.word().to_owned(),
        stanza: message.stanza.0.clone(),
        at: message.accepted_at.0,
        held_until: message.held_until.map(|due| due.0),
        credits: message.credits,
        kept: kept
            .as_ref()
            .map(|kept| KeptLine { external_id: kept.external_id.clone(), attributes: kept.attributes.clone() }),
    }
}

fn row(account: AccountId, line: Line) -> Option<Row> {
    let at = Timestamp(line.at);
    let held_until = line.held_until.map(Timestamp);
    let (state, code) =
        if held_until.is_some() { (State::Held, Some("scheduled".to_owned())) } else { (State::Queued, None) };
    let media = match line.media {
        Some(written) => Some(Media::read(&written)?),
        None => None,
    };
    let message = Message {
        account,
        id: MessageId(line.id),
        device: DeviceId(line.device),
        direction: Direction::Outbound,
        phone: Some(PhoneNumber::from_e164(&line.phone)?),
        lid: None,
        name: line.name,
        body: line.body,
        media,
        attached: None,
        external_id: line.external_id,
        campaign: None,
        lane: Lane::from_word(&line.lane)?,
        stanza: StanzaId(line.stanza),
        state,
        held_until,
        accepted_at: at,
        updated_at: at,
        credits: line.credits,
        refunded: false,
        history: vec![Step { state, at, code }],
    };
    let kept = line.kept.map(|kept| Kept { external_id: kept.external_id, attributes: kept.attributes });
    Some(Row { message, kept })
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::UploadId;
    use hantar_domain::media::{Kind, Source};

    use super::*;

    fn rows() -> Vec<Row> {
        let at = Timestamp(1_752_000_000_123_456);
        let step = |state, code: Option<&str>| vec![Step { state, at, code: code.map(str::to_owned) }];
        let message = Message {
            account: AccountId(7),
            id: MessageId(42),
            device: DeviceId(3),
            direction: Direction::Outbound,
            phone: PhoneNumber::from_e164("60123456789"),
            lid: None,
            name: Some("Ali\n\"x\"".into()),
            body: "line\nline {{not a field}}".into(),
            media: Some(Media { source: Source::Upload(UploadId(8)), kind: Some(Kind::Image), filename: None }),
            attached: None,
            external_id: Some("order-1".into()),
            campaign: None,
            lane: Lane::Campaign,
            stanza: StanzaId("3EB0AB".into()),
            state: State::Held,
            held_until: Some(at),
            accepted_at: at,
            updated_at: at,
            credits: 1,
            refunded: false,
            history: step(State::Held, Some("scheduled")),
        };
        let kept = Kept { external_id: None, attributes: [("plan".to_owned(), "gold".to_owned())].into() };
        let now = Message {
            state: State::Queued,
            held_until: None,
            name: None,
            external_id: None,
            media: Some(Media {
                source: Source::Url("https://example.com/a".into()),
                kind: None,
                filename: Some("a.pdf".into()),
            }),
            history: step(State::Queued, None),
            ..message.clone()
        };
        vec![Row { message, kept: Some(kept) }, Row { message: now, kept: None }]
    }

    #[test]
    fn rows_are_read_back_as_they_were_written() {
        assert_eq!(read(AccountId(7), &write(&rows())), Some(rows()));
        assert_eq!(read(AccountId(7), b""), Some(vec![]));
    }

    #[test]
    fn a_damaged_line_is_not_passed_over() {
        let mut bytes = write(&rows());
        bytes.truncate(bytes.len() - 5);
        assert_eq!(read(AccountId(7), &bytes), None);
    }
}
