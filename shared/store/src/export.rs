//! Exports: files made of an account's records.

use std::time::Duration;

use hantar_domain::export::{Export, Making, Sheet, Subject};
use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::ids::ExportId;
use hantar_usecases::ports::{Created, Idempotency, PortError, Work};
use serde::{Deserialize, Serialize};

use crate::files::{StoredPieces, from_json, json};
use crate::idempotency::Keyed;
use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::{EXPORT, Place};
use crate::tenant::TenantStore;
use crate::work::arm;
use crate::writing::Write;

/// The kind of thing that an idempotency key stands for.
const KIND: &str = "ex";
/// For how long an export is remembered after its file is gone.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);

fn item(export: &Export) -> Result<Item, PortError> {
    let place = Place::export(export.account, export.id);
    Ok(NewItem::at(&place)
        .with("su", text(subject_text(export.subject)))
        .with("f", text(export.format.word()))
        .with("s", text(export.stage.word()))
        .maybe("fl", export.failure.as_deref().map(text))
        .with("mk", text(json(&StoredMaking::of(&export.making), &place)?))
        .with("rn", number(export.rows))
        .maybe("z", export.size.map(number))
        .with("t", time(export.created_at))
        .maybe("en", export.finished_at.map(time))
        .with("ku", time(export.kept_until))
        .with("v", number(export.version + 1))
        .with(TTL, expiry(export.kept_until + REMEMBERED))
        .done())
}

fn read(item: &Item) -> Result<Export, PortError> {
    let fields = Fields(item);
    Ok(Export {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#F")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(EXPORT)?.parse().ok())?,
        subject: fields.word("su", subject)?,
        format: fields.word("f", FileFormat::from_word)?,
        stage: fields.word("s", Stage::from_word)?,
        failure: fields.owned("fl")?,
        making: from_json::<StoredMaking>(fields, "mk")?.making(),
        rows: fields.number("rn")?,
        size: fields.maybe_number("z")?,
        created_at: fields.time("t")?,
        finished_at: fields.maybe_time("en")?,
        kept_until: fields.time("ku")?,
        version: fields.number("v")?,
    })
}

fn subject_text(subject: Subject) -> String {
    match subject {
        Subject::Contacts => "contacts".to_owned(),
        Subject::Group(group) => format!("group-{group}"),
        Subject::Campaign(campaign) => format!("campaign-{campaign}"),
    }
}

fn subject(text: &str) -> Option<Subject> {
    Some(match text.split_once('-') {
        None if text == "contacts" => Subject::Contacts,
        Some(("group", id)) => Subject::Group(id.parse().ok()?),
        Some(("campaign", id)) => Subject::Campaign(id.parse().ok()?),
        _ => return None,
    })
}

impl TenantStore {
    pub(crate) async fn own_export(&self, id: ExportId) -> Result<Option<Export>, PortError> {
        self.store.get(&Place::export(self.account, id)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn store_export(
        &self,
        export: &Export,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Export>, PortError> {
        let put = Write::put(&Place::export(self.account, export.id), item(export)?).if_new();
        let begun = arm(self.account, Work::Export(export.id), export.created_at);
        let keyed = self.under_key(vec![put, begun], idempotency, (KIND, export.id.0), export.created_at).await?;
        Ok(match keyed {
            Keyed::Done => Created::New,
            Keyed::Replayed(id) => match self.own_export(ExportId(id)).await? {
                Some(earlier) => Created::Replayed(Box::new(earlier)),
                None => Created::KeyReused,
            },
            Keyed::Reused => Created::KeyReused,
            Keyed::Refused => return Err(PortError::Corrupt(format!("export number {} is taken", export.id))),
        })
    }

    pub(crate) async fn move_export(&self, export: &Export) -> Result<bool, PortError> {
        // By the name of the write a second try knows its own work.
        let by = self.store.fresh_token();
        let item = NewItem::from(item(export)?).with("wb", text(&by)).done();
        let put = Write::put(&Place::export(self.account, export.id), item).when("v = :v OR wb = :wb");
        let written = self.store.write(put.with(":v", number(export.version)).with(":wb", text(by))).await?;
        Ok(written.is_done())
    }
}

/// How far the making of a file came, as stored.
#[derive(Serialize, Deserialize)]
struct StoredMaking {
    columns: Option<Vec<String>>,
    found: Vec<String>,
    after: Option<String>,
    pieces: StoredPieces,
    packed: u64,
    unpacked: u64,
    check: u32,
}

impl StoredMaking {
    fn of(making: &Making) -> Self {
        let Making { columns, found, after, pieces, sheet } = making;
        Self {
            columns: columns.clone(),
            found: found.clone(),
            after: after.clone(),
            pieces: StoredPieces::of(pieces),
            packed: sheet.packed,
            unpacked: sheet.unpacked,
            check: sheet.check,
        }
    }

    fn making(self) -> Making {
        let sheet = Sheet { packed: self.packed, unpacked: self.unpacked, check: self.check };
        let Self { columns, found, after, pieces, .. } = self;
        Making { columns, found, after, pieces: pieces.pieces(), sheet }
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::file::Pieces;
    use hantar_domain::ids::{AccountId, CampaignId, GroupId};
    use hantar_domain::time::Timestamp;

    use super::*;

    #[test]
    fn an_export_is_read_back_as_it_was_written() {
        for subject in [Subject::Contacts, Subject::Group(GroupId(7)), Subject::Campaign(CampaignId(8))] {
            let export = Export {
                account: AccountId(1),
                id: ExportId(2),
                subject,
                format: FileFormat::Xlsx,
                stage: Stage::Failed,
                failure: Some("gone".into()),
                making: Making {
                    columns: Some(vec!["plan".into()]),
                    found: vec!["city".into()],
                    after: Some("3".into()),
                    pieces: Pieces { names: vec!["a".into()], short: None },
                    sheet: Sheet { packed: 4, unpacked: 5, check: 6 },
                },
                rows: 7,
                size: Some(8),
                created_at: Timestamp(9),
                finished_at: None,
                kept_until: Timestamp(10),
                version: 11,
            };
            assert_eq!(read(&item(&export).unwrap()).unwrap(), Export { version: 12, ..export });
        }
    }
}
