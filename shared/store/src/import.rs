//! Imports of contacts.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::ids::{GroupId, ImportId};
use hantar_domain::import::{Encoding, Failure, Field, Import, Plan, Reading, Rows, Separator, Trouble};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Created, Idempotency, ImportStart, PortError, Work};
use serde::{Deserialize, Serialize};

use crate::files::{StoredPieces, from_json, json};
use crate::idempotency::{Keyed, stood_for};
use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::{IMPORT, Place};
use crate::tenant::TenantStore;
use crate::work::arm;
use crate::writing::Write;

/// The kind of thing that an idempotency key stands for.
const KIND: &str = "im";
/// For how long an import is remembered after its files are gone.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);

fn item(import: &Import) -> Result<Item, PortError> {
    let place = Place::import(import.account, import.id);
    let failure = import.failure.as_ref();
    let plan = import.plan.as_ref().map(|plan| json(&StoredPlan::of(plan), &place)).transpose()?;
    let rows = import.rows;
    Ok(NewItem::at(&place)
        .with("n", text(&import.filename))
        .with("f", text(import.format.word()))
        .with("z", number(import.size))
        .with("s", text(import.stage.word()))
        .maybe("fl", failure.map(|failure| text(failure.trouble.code())))
        .maybe("fr", failure.and_then(|failure| failure.row).map(number))
        .maybe("pl", plan.map(text))
        .with("rd", text(json(&StoredReading::of(&import.reading), &place)?))
        .with("rn", number(rows.read))
        .with("rc", number(rows.created))
        .with("ru", number(rows.updated))
        .with("rk", number(rows.checked))
        .with("rj", number(rows.rejected))
        .with("t", time(import.created_at))
        .maybe("st", import.started_at.map(time))
        .maybe("en", import.finished_at.map(time))
        .with("ku", time(import.kept_until))
        .with("v", number(import.version + 1))
        .with(TTL, expiry(import.kept_until + REMEMBERED))
        .done())
}

fn read(item: &Item) -> Result<Import, PortError> {
    let fields = Fields(item);
    let trouble = fields.maybe_word("fl", Trouble::from_code)?;
    let row = fields.maybe_number("fr")?;
    let plan = fields.maybe_text("pl")?;
    let plan = plan.map(|_| from_json::<StoredPlan>(fields, "pl")?.plan().ok_or_else(|| fields.damaged("pl")));
    Ok(Import {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#F")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(IMPORT)?.parse().ok())?,
        filename: fields.text("n")?.to_owned(),
        format: fields.word("f", FileFormat::from_word)?,
        size: fields.number("z")?,
        stage: fields.word("s", Stage::from_word)?,
        failure: trouble.map(|trouble| Failure { trouble, row }),
        plan: plan.transpose()?,
        reading: from_json::<StoredReading>(fields, "rd")?.reading(),
        rows: Rows {
            read: fields.number("rn")?,
            created: fields.number("rc")?,
            updated: fields.number("ru")?,
            checked: fields.number("rk")?,
            rejected: fields.number("rj")?,
        },
        created_at: fields.time("t")?,
        started_at: fields.maybe_time("st")?,
        finished_at: fields.maybe_time("en")?,
        kept_until: fields.time("ku")?,
        version: fields.number("v")?,
    })
}

/// Puts an import where the stored one has its version. `by` names the write, so that a second try knows its own work.
fn put(import: &Import, by: String) -> Result<Write, PortError> {
    let item = NewItem::from(item(import)?).with("wb", text(&by)).done();
    let put = Write::put(&Place::import(import.account, import.id), item).when("v = :v OR wb = :wb");
    Ok(put.with(":v", number(import.version)).with(":wb", text(by)))
}

impl TenantStore {
    pub(crate) async fn own_import(&self, id: ImportId) -> Result<Option<Import>, PortError> {
        self.store.get(&Place::import(self.account, id)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn store_import(
        &self,
        import: &Import,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Import>, PortError> {
        let put = Write::put(&Place::import(self.account, import.id), item(import)?).if_new();
        let tidied = arm(self.account, Work::Import(import.id), import.kept_until);
        let keyed = self.under_key(vec![put, tidied], idempotency, (KIND, import.id.0), import.created_at).await?;
        Ok(match keyed {
            Keyed::Done => Created::New,
            Keyed::Replayed(id) => match self.own_import(ImportId(id)).await? {
                Some(earlier) => Created::Replayed(Box::new(earlier)),
                None => Created::KeyReused,
            },
            Keyed::Reused => Created::KeyReused,
            Keyed::Refused => return Err(PortError::Corrupt(format!("import number {} is taken", import.id))),
        })
    }

    pub(crate) async fn begun_before(
        &self,
        key: &Idempotency,
        at: Timestamp,
    ) -> Result<Option<ImportStart>, PortError> {
        match self.known_key(key, at).await? {
            Some(taken) => self.begun(stood_for(&taken, key, KIND)?).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn begin_import(
        &self,
        import: &Import,
        at: Timestamp,
        idempotency: Option<&Idempotency>,
    ) -> Result<ImportStart, PortError> {
        let writes = vec![put(import, self.store.fresh_token())?, arm(self.account, Work::Import(import.id), at)];
        self.begun(self.under_key(writes, idempotency, (KIND, import.id.0), at).await?).await
    }

    async fn begun(&self, keyed: Keyed) -> Result<ImportStart, PortError> {
        Ok(match keyed {
            Keyed::Done => ImportStart::Now,
            Keyed::Replayed(id) => match self.own_import(ImportId(id)).await? {
                Some(import) => ImportStart::Replayed(Box::new(import)),
                None => ImportStart::KeyReused,
            },
            Keyed::Reused => ImportStart::KeyReused,
            Keyed::Refused => ImportStart::Changed,
        })
    }

    pub(crate) async fn move_import(&self, import: &Import) -> Result<bool, PortError> {
        Ok(self.store.write(put(import, self.store.fresh_token())?).await?.is_done())
    }
}

/// What to do with a file, as stored.
#[derive(Serialize, Deserialize)]
struct StoredPlan {
    mapping: Option<BTreeMap<String, String>>,
    header: bool,
    encoding: Option<String>,
    separator: Option<String>,
    dry: bool,
    group: Option<u64>,
    source: Option<String>,
}

/// How far the reading came, as stored.
#[derive(Serialize, Deserialize)]
struct StoredReading {
    length: Option<u64>,
    rewritten: bool,
    at: u64,
    lines: u64,
    numbers: Option<u64>,
    rejects: StoredPieces,
}

impl StoredPlan {
    fn of(plan: &Plan) -> Self {
        let mapping = plan.mapping.as_ref();
        Self {
            mapping: mapping.map(|all| all.iter().map(|(column, field)| (column.clone(), field.word())).collect()),
            header: plan.has_header,
            encoding: plan.encoding.map(|encoding| encoding.word().to_owned()),
            separator: plan.separator.map(|separator| separator.word().to_owned()),
            dry: plan.dry_run,
            group: plan.group.map(|group| group.0),
            source: plan.opt_in_source.clone(),
        }
    }

    fn plan(self) -> Option<Plan> {
        let field = |(column, word): (String, String)| Some((column, Field::from_word(&word)?));
        let mapping = match self.mapping {
            Some(all) => Some(all.into_iter().map(field).collect::<Option<_>>()?),
            None => None,
        };
        let encoding = match self.encoding {
            Some(word) => Some(Encoding::from_word(&word)?),
            None => None,
        };
        let separator = match self.separator {
            Some(word) => Some(Separator::from_word(&word)?),
            None => None,
        };
        Some(Plan {
            mapping,
            has_header: self.header,
            encoding,
            separator,
            dry_run: self.dry,
            group: self.group.map(GroupId),
            opt_in_source: self.source,
        })
    }
}

impl StoredReading {
    fn of(reading: &Reading) -> Self {
        let Reading { length, rewritten, at, lines, numbers, rejects } = reading;
        Self {
            length: *length,
            rewritten: *rewritten,
            at: *at,
            lines: *lines,
            numbers: *numbers,
            rejects: StoredPieces::of(rejects),
        }
    }

    fn reading(self) -> Reading {
        let Self { length, rewritten, at, lines, numbers, rejects } = self;
        Reading { length, rewritten, at, lines, numbers, rejects: rejects.pieces() }
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::file::Pieces;
    use hantar_domain::ids::AccountId;

    use super::*;

    #[test]
    fn an_import_is_read_back_as_it_was_written() {
        let whole = Import {
            account: AccountId(1),
            id: ImportId(2),
            filename: "people.csv".into(),
            format: FileFormat::Csv,
            size: 3,
            stage: Stage::Failed,
            failure: Some(Failure { trouble: Trouble::RowTooLong, row: Some(4) }),
            plan: Some(Plan {
                mapping: Some([("A".to_owned(), Field::Attribute("plan".into()))].into()),
                has_header: true,
                encoding: Some(Encoding::Utf16),
                separator: Some(Separator::Tab),
                dry_run: true,
                group: Some(GroupId(5)),
                opt_in_source: Some("form".into()),
            }),
            reading: Reading {
                length: Some(6),
                rewritten: true,
                at: 7,
                lines: 8,
                numbers: Some(9),
                rejects: Pieces { names: vec!["a".into()], short: Some(1) },
            },
            rows: Rows { read: 10, created: 11, updated: 12, checked: 13, rejected: 14 },
            created_at: Timestamp(15),
            started_at: Some(Timestamp(16)),
            finished_at: Some(Timestamp(17)),
            kept_until: Timestamp(18),
            version: 19,
        };
        let bare = Import {
            failure: None,
            plan: None,
            reading: Reading::default(),
            started_at: None,
            finished_at: None,
            ..whole.clone()
        };
        for import in [whole, bare] {
            let stored = read(&item(&import).unwrap()).unwrap();
            assert_eq!(stored, Import { version: 20, ..import });
        }
    }
}
