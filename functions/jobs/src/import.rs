//! Contacts from a file, some thousand rows a step.
//!
//! What a step did counts when the import's record says so, with one conditional write. A step that died, or that two do
//! at a time, is done again from the same row, with the same numbers for new contacts: so it makes the same contacts, and
//! counts them the same.

mod prepare;
mod rows;
pub(crate) mod workbook;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hantar_domain::consent::{Consent, Said, Source};
use hantar_domain::contact::{OptIn, fits};
use hantar_domain::file::{FileFormat, Stage, guarded};
use hantar_domain::ids::{AccountId, ContactId, ImportId};
use hantar_domain::import::{Columns, Encoding, Failure, Import, MAX_ROWS, Plan, Row, Separator, Trouble};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_usecases::import_contacts::{KEPT, rejected, uploaded};
use hantar_usecases::ports::{BlobKey, ContactDraft, PortError, Sequence, Tenant, Upserted};

use self::rows::{Dialect, MAX_ROW_BYTES, Record, TooLong, records, separator_of};
use crate::pieces::{Names, Piece, forget, join};
use crate::work::{Next, Worker};

/// How many rows a step reads at most.
const STEP_ROWS: usize = 5_000;
/// How many bytes of rows a step reads at most.
const STEP_BYTES: usize = 8 * 1024 * 1024;
/// After how long a step ends with the batch it is at.
const STEP_TIME: Duration = Duration::from_secs(12);
/// How many contacts are stored at a time.
const BATCH: usize = 500;
/// How much of a file is read at a time.
const WINDOW: usize = 1024 * 1024;
/// What a text in UTF-8 may begin with.
const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a step did not go on.
#[derive(Debug)]
enum Halt {
    /// The file is of no use, from this row on.
    Trouble(Trouble, Option<u64>),
    /// Somebody else has come further.
    Overtaken,
    /// A port failed: the step is done again.
    Port(PortError),
}

impl From<PortError> for Halt {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble, None)
    }
}

/// How a file begins.
struct Head {
    dialect: Dialect,
    columns: Columns,
    /// The cells of the first row.
    first: Vec<String>,
    /// Where the first row of a contact begins.
    begin: u64,
}

/// One import, and what reading it takes.
struct Reader<'a> {
    with: &'a Worker,
    tenant: Arc<dyn Tenant>,
    import: Import,
    plan: Plan,
    regions: Vec<Region>,
    /// The piece of the file of rejected rows that nobody needs once the step is recorded.
    stale: Option<String>,
}

/// One step of an import. One that is over is tidied away after some days, and one that was never started, too.
pub(crate) async fn step(with: &Worker, account: AccountId, id: ImportId) -> Result<Next, PortError> {
    let tenant = with.tenants.for_account(account);
    let Some(import) = tenant.files().import(id).await? else { return Ok(Next::Never) };
    let now = with.clock.now();
    match (import.stage, import.plan.clone()) {
        (Stage::Running, Some(plan)) => {
            let regions = tenant.account().await?.map(|account| account.regions).unwrap_or_default();
            Reader { with, tenant, import, plan, regions, stale: None }.step().await
        }
        _ if now < import.kept_until => Ok(Next::At(import.kept_until)),
        _ => tidy(with, &*tenant, import).await,
    }
}

/// Deletes all files of an import that nobody may use any more.
async fn tidy(with: &Worker, tenant: &dyn Tenant, mut import: Import) -> Result<Next, PortError> {
    let (account, id) = (import.account, import.id);
    delete_read(with, &import).await?;
    with.blobs.delete(&rejected(account, id)).await?;
    if import.stage == Stage::Waiting {
        import.stage = Stage::Failed;
        import.failure = Some(Failure { trouble: Trouble::NeverStarted, row: None });
        import.finished_at = Some(with.clock.now());
        if !tenant.files().change_import(&import).await? {
            return Ok(Next::Now);
        }
    }
    Ok(Next::Never)
}

/// Deletes what was read, and what was written on the way.
async fn delete_read(with: &Worker, import: &Import) -> Result<(), PortError> {
    let blobs = &*with.blobs;
    blobs.delete(&uploaded(import.account, import.id)).await?;
    blobs.delete(&rewritten(import.account, import.id)).await?;
    forget(blobs, &reject_names(import), &import.reading.rejects.names).await
}

/// Where a file is that had to be written anew, to be read row by row.
fn rewritten(account: AccountId, id: ImportId) -> BlobKey {
    BlobKey::new(account, "imports", &format!("{id}.rows"))
}

fn reject_names(import: &Import) -> impl Names + use<> {
    let (account, id) = (import.account, import.id);
    move |name: &str| BlobKey::new(account, "imports", &format!("{id}.rejected.{name}"))
}

impl Reader<'_> {
    async fn step(mut self) -> Result<Next, PortError> {
        let done = if self.import.reading.length.is_none() { self.prepare().await } else { self.read().await };
        let over = match done {
            Ok(over) => over,
            Err(Halt::Trouble(trouble, row)) => {
                self.import.failure = Some(Failure { trouble, row });
                true
            }
            Err(Halt::Overtaken) => return Ok(Next::Now),
            Err(Halt::Port(error)) => return Err(error),
        };
        if over { self.end().await } else { self.record().await }
    }

    /// Says that the step is done.
    async fn record(self) -> Result<Next, PortError> {
        if self.tenant.files().change_import(&self.import).await? {
            forget(&*self.with.blobs, &reject_names(&self.import), self.stale.as_slice()).await?;
        }
        Ok(Next::Now)
    }

    /// Ends the import: its file of rejected rows is made, and the file that was read is deleted, unless its rows were only
    /// checked.
    async fn end(mut self) -> Result<Next, PortError> {
        let (blobs, names) = (&*self.with.blobs, reject_names(&self.import));
        let file = rejected(self.import.account, self.import.id);
        let rejects = &self.import.reading.rejects;
        if !rejects.names.is_empty() && !join(blobs, &names, rejects, &file).await? {
            return Ok(Next::Now);
        }
        let now = self.with.clock.now();
        self.import.stage = if self.import.failure.is_some() { Stage::Failed } else { Stage::Completed };
        self.import.finished_at = Some(now);
        self.import.kept_until = now + KEPT;
        if !self.tenant.files().change_import(&self.import).await? {
            return Ok(Next::Now);
        }
        forget(blobs, &names, self.stale.as_slice()).await?;
        if !(self.plan.dry_run && self.import.stage == Stage::Completed) {
            delete_read(self.with, &self.import).await?;
        }
        Ok(Next::At(self.import.kept_until))
    }

    fn source(&self) -> BlobKey {
        let (account, id) = (self.import.account, self.import.id);
        if self.import.reading.rewritten { rewritten(account, id) } else { uploaded(account, id) }
    }

    /// Reads a part of the file being read. What is gone was deleted by somebody who has come further.
    async fn window(&self, from: u64, most: usize) -> Result<Vec<u8>, Halt> {
        self.with.blobs.read(&self.source(), from, most).await?.ok_or(Halt::Overtaken)
    }

    /// How the file begins. Every step looks at it anew.
    async fn head(&self) -> Result<Head, Halt> {
        let bytes = self.window(0, 2 * MAX_ROW_BYTES).await?;
        let whole = bytes.len() as u64 >= self.import.reading.length.unwrap_or(0);
        let mark = if bytes.starts_with(UTF_8_MARK) { UTF_8_MARK.len() } else { 0 };
        let text = &bytes[mark..];
        let separator = match (self.import.format, self.plan.separator) {
            (FileFormat::Xlsx, _) => Separator::Comma,
            (FileFormat::Csv, Some(separator)) => separator,
            (FileFormat::Csv, None) => separator_of(text),
        };
        let encoding = if self.import.reading.rewritten { Some(Encoding::Utf8) } else { self.plan.encoding };
        let dialect = Dialect { separator, encoding };
        let first = records(text, whole, dialect, 1).map_err(|_| too_long(0))?;
        let first = match first.into_iter().next() {
            Some(first) => first,
            None if whole => return Err(Trouble::Empty.into()),
            None => return Err(too_long(0)),
        };
        let columns = Columns::of(&self.plan, &first.cells)?;
        let begin = if self.plan.has_header { mark + first.end } else { mark };
        Ok(Head { dialect, columns, first: first.cells, begin: begin as u64 })
    }

    /// Reads rows and stores their contacts. Answers whether the file is at its end.
    async fn read(&mut self) -> Result<bool, Halt> {
        let head = self.head().await?;
        let names = reject_names(&self.import);
        let piece = Piece::open(&*self.with.blobs, &names, &self.import.reading.rejects).await?;
        let piece = piece.ok_or(Halt::Overtaken)?;
        let mut rejects = Rejects { piece, first: &head.first, has_header: self.plan.has_header };
        let reading = &mut self.import.reading;
        if reading.at == 0 {
            (reading.at, reading.lines) = (head.begin, u64::from(self.plan.has_header));
        }
        let stopped = self.read_some(&head, &mut rejects).await;
        if let Err(Halt::Port(_) | Halt::Overtaken) = stopped {
            return stopped;
        }
        let name = self.import.reading.lines.to_string();
        let (pieces, stale) = rejects.piece.close(&*self.with.blobs, &names, name).await?;
        (self.import.reading.rejects, self.stale) = (pieces, stale);
        stopped
    }

    async fn read_some(&mut self, head: &Head, rejects: &mut Rejects<'_>) -> Result<bool, Halt> {
        let (began, length) = (self.with.clock.running(), self.import.reading.length.unwrap_or(0));
        let (mut left, mut bytes, mut number) = (STEP_ROWS, 0, self.import.reading.numbers.unwrap_or(0));
        while left > 0 && bytes < STEP_BYTES {
            let at = self.import.reading.at;
            if at >= length {
                return Ok(true);
            }
            let window = self.window(at, WINDOW).await?;
            let last = at + window.len() as u64 >= length;
            let rows = match records(&window, last, head.dialect, left) {
                Ok(rows) if rows.is_empty() && last => return Ok(true),
                Ok(rows) if !rows.is_empty() => rows,
                // Those before it count.
                Err(TooLong(before)) if before > 0 => records(&window, last, head.dialect, before).unwrap_or_default(),
                Ok(_) | Err(_) => return Err(too_long(self.import.reading.lines)),
            };
            for batch in rows.chunks(BATCH) {
                self.take(at, batch, &head.columns, &mut number, rejects).await?;
                if self.with.clock.running().saturating_sub(began) >= STEP_TIME {
                    left = 0;
                    break;
                }
            }
            (left, bytes) = (left.saturating_sub(rows.len()), bytes + window.len());
        }
        self.reserve().await?;
        Ok(false)
    }

    /// Keeps numbers ready for the contacts of the next step.
    async fn reserve(&mut self) -> Result<(), Halt> {
        if !self.plan.dry_run {
            let numbers = self.with.fleet.reserve(Sequence::Contacts(self.import.account), STEP_ROWS as u64).await?;
            self.import.reading.numbers = Some(numbers);
        }
        Ok(())
    }

    /// Stores the contacts of some rows of the window that begins at `begin`, and counts them.
    async fn take(
        &mut self,
        begin: u64,
        rows: &[Record],
        columns: &Columns,
        number: &mut u64,
        rejects: &mut Rejects<'_>,
    ) -> Result<(), Halt> {
        let (mut drafts, mut lines, mut opted_out) = (Vec::new(), Vec::new(), BTreeSet::new());
        for row in rows {
            let reading = &mut self.import.reading;
            (reading.at, reading.lines) = (begin + row.end as u64, reading.lines + 1);
            let id = ContactId(*number);
            *number += 1;
            if row.is_blank() {
                continue;
            }
            self.import.rows.read += 1;
            if self.import.rows.read > MAX_ROWS {
                return Err(Halt::Trouble(Trouble::TooManyRows, Some(self.import.reading.lines)));
            }
            match columns.row(&row.cells, &self.regions) {
                Ok(said) if fits(&said.attributes) => {
                    opted_out.extend(said.opted_out.then(|| said.phone.clone()));
                    drafts.push(self.draft(id, said));
                    lines.push((self.import.reading.lines, row));
                }
                Ok(_) => self.reject(rejects, self.import.reading.lines, row, TOO_MUCH),
                Err(reject) => {
                    self.reject(rejects, self.import.reading.lines, row, (reject.code(), &reject.to_string()));
                }
            }
        }
        if self.plan.dry_run {
            self.import.rows.checked += drafts.len() as u64;
            return Ok(());
        }
        self.opt_out(opted_out).await?;
        let answers = self.tenant.contacts().upsert(&drafts).await?;
        for ((draft, answer), (line, row)) in drafts.iter().zip(answers).zip(lines) {
            // One that was there with this row's number was made by this row, in a step that died.
            let (contact, made) = match answer {
                Upserted::Created(contact) => (contact, true),
                Upserted::Updated(contact) if contact.id == draft.id => (contact, true),
                Upserted::Updated(contact) => (contact, false),
            };
            let mut attributes = contact.attributes;
            attributes.extend(draft.attributes.clone());
            if !fits(&attributes) {
                self.reject(rejects, line, row, TOO_MUCH);
            } else if made {
                self.import.rows.created += 1;
            } else {
                self.import.rows.updated += 1;
            }
        }
        Ok(())
    }

    /// Notes who opted out, if it is not known yet, before anybody could be written to: their contacts, saved after,
    /// take it from the ledger. Done again it enters the same.
    async fn opt_out(&self, phones: BTreeSet<PhoneNumber>) -> Result<(), Halt> {
        let phones: Vec<PhoneNumber> = phones.into_iter().collect();
        if phones.is_empty() {
            return Ok(());
        }
        let known = self.tenant.consents().suppressed(&phones).await?;
        let at = self.import.started_at.unwrap_or(self.import.created_at);
        let note = Some(format!("import {}", self.import.id));
        for phone in phones.into_iter().filter(|phone| !known.contains(phone)) {
            let entry =
                Consent { phone, said: Said::Out, source: Source::Import, note: note.clone(), at, turned: false };
            self.tenant.consents().note_consent(&entry, &entry.source.name(), None).await?;
        }
        Ok(())
    }

    fn draft(&self, id: ContactId, row: Row) -> ContactDraft {
        let at = self.import.started_at.unwrap_or(self.import.created_at);
        let Row { phone, name, external_id, attributes, .. } = row;
        let opted_in = self.plan.opt_in_source.clone().map(|source| OptIn { source, at });
        let groups = self.plan.group.into_iter().collect();
        ContactDraft { id, phone, name, external_id, attributes, groups, opted_in, at }
    }

    fn reject(&mut self, rejects: &mut Rejects<'_>, line: u64, row: &Record, why: (&str, &str)) {
        self.import.rows.rejected += 1;
        rejects.add(line, row, why);
    }
}

/// Why a row is rejected whose contact would hold more attributes than it may.
const TOO_MUCH: (&str, &str) =
    ("too_much", "With these the contact would have more attributes than it may: 100, of 64 KiB in all.");

/// The file of rejected rows: which, why, and what they say, so that it can be mended and imported.
struct Rejects<'a> {
    piece: Piece,
    first: &'a [String],
    has_header: bool,
}

impl Rejects<'_> {
    fn add(&mut self, line: u64, row: &Record, (code, message): (&str, &str)) {
        if self.piece.is_first() {
            let own = ["rejected_row", "rejected_reason", "rejected_message"].map(str::to_owned);
            let numbered = (1..=self.first.len()).map(|number| format!("column {number}"));
            let theirs = if self.has_header { self.first.to_vec() } else { numbered.collect() };
            self.write(own.into_iter().chain(theirs));
        }
        let own = [line.to_string(), code.to_owned(), message.to_owned()];
        self.write(own.into_iter().chain(row.cells.iter().cloned()));
    }

    fn write(&mut self, cells: impl Iterator<Item = String>) {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(&mut self.piece.bytes);
        // Memory takes all that is written to it.
        let _ = writer.write_record(cells.map(|cell| guarded(&cell)));
        let _ = writer.flush();
    }
}

fn too_long(lines: u64) -> Halt {
    Halt::Trouble(Trouble::RowTooLong, Some(lines + 1))
}
