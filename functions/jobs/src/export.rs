//! Files made of an account's records, a piece a step: first the names of all attributes are gathered, which become
//! columns, and then the rows are written.

mod record;
mod sheet;

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::export::{Export, MAX_ATTRIBUTE_COLUMNS, MAX_SHEET_ROWS};
use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::ids::{AccountId, ExportId};
use hantar_usecases::export_records::{KEPT, exported};
use hantar_usecases::ports::{BlobKey, PortError, Tenant};

use self::record::{Page, cells, has_attributes, header, page};
use crate::pieces::{Names, Piece, forget, join};
use crate::work::{Next, Worker};

/// How many records are read at a time.
const PAGE: usize = 500;
/// After how long a step ends with the page it is at.
const STEP_TIME: Duration = Duration::from_secs(12);
/// How many pages a step reads at most.
const STEP_PAGES: usize = 100;
/// What tells spreadsheet programs that a text is UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The file takes more room than a workbook has.
const TOO_LARGE: &str = "too_large_for_xlsx";

/// One export, and what making it takes.
struct Maker<'a> {
    with: &'a Worker,
    tenant: Arc<dyn Tenant>,
    export: Export,
    /// The piece that nobody needs once the step is recorded.
    stale: Option<String>,
}

/// One step of an export. The file of one that is over is deleted after some days.
pub(crate) async fn step(with: &Worker, account: AccountId, id: ExportId) -> Result<Next, PortError> {
    let tenant = with.tenants.for_account(account);
    let Some(export) = tenant.files().export(id).await? else { return Ok(Next::Never) };
    if export.stage == Stage::Running {
        let maker = Maker { with, tenant, export, stale: None };
        return if maker.export.making.columns.is_none() { maker.gather().await } else { maker.write().await };
    }
    if with.clock.now() < export.kept_until {
        return Ok(Next::At(export.kept_until));
    }
    with.blobs.delete(&exported(account, id)).await?;
    forget(&*with.blobs, &piece_names(&export), &export.making.pieces.names).await?;
    Ok(Next::Never)
}

fn piece_names(export: &Export) -> impl Names + use<> {
    let (account, id) = (export.account, export.id);
    move |name: &str| BlobKey::new(account, "exports", &format!("{id}.{name}"))
}

impl Maker<'_> {
    /// Records how far the step came.
    async fn record(self) -> Result<Next, PortError> {
        if self.tenant.files().change_export(&self.export).await? {
            forget(&*self.with.blobs, &piece_names(&self.export), self.stale.as_slice()).await?;
        }
        Ok(Next::Now)
    }

    async fn page(&self) -> Result<Page, PortError> {
        page(&*self.tenant, self.export.subject, self.export.making.after.as_deref(), PAGE).await
    }

    /// Gathers the names of attributes.
    async fn gather(mut self) -> Result<Next, PortError> {
        if !has_attributes(self.export.subject) {
            self.export.making.columns = Some(Vec::new());
            return self.record().await;
        }
        let began = self.with.clock.running();
        for _ in 0..STEP_PAGES {
            let page = self.page().await?;
            let making = &mut self.export.making;
            for name in page.attribute_names() {
                if making.found.len() < MAX_ATTRIBUTE_COLUMNS && !making.found.contains(name) {
                    making.found.push(name.clone());
                }
            }
            making.after = page.next;
            if making.after.is_none() {
                making.found.sort_unstable();
                making.columns = Some(std::mem::take(&mut making.found));
                break;
            }
            if self.with.clock.running().saturating_sub(began) >= STEP_TIME {
                break;
            }
        }
        self.record().await
    }

    /// Writes rows, up to one piece of the file.
    async fn write(mut self) -> Result<Next, PortError> {
        let (began, names) = (self.with.clock.running(), piece_names(&self.export));
        let opened = Piece::open(&*self.with.blobs, &names, &self.export.making.pieces).await?;
        let Some(mut piece) = opened else { return Ok(Next::Now) };
        if piece.is_first() {
            self.begin(&mut piece.bytes);
        }
        let mut is_over = false;
        for _ in 0..STEP_PAGES {
            let page = self.page().await?;
            self.add(&page, &mut piece.bytes);
            self.export.making.after = page.next;
            is_over = self.export.making.after.is_none() || self.is_too_large();
            let late = self.with.clock.running().saturating_sub(began) >= STEP_TIME;
            if is_over || late || piece.is_full() {
                break;
            }
        }
        if is_over && self.export.format == FileFormat::Xlsx {
            piece.bytes.extend(sheet::end(self.export.making.sheet));
        }
        let name = format!("piece{}", self.export.rows);
        let (pieces, stale) = piece.close(&*self.with.blobs, &names, name).await?;
        (self.export.making.pieces, self.stale) = (pieces, stale);
        if is_over { self.end().await } else { self.record().await }
    }

    fn begin(&mut self, bytes: &mut Vec<u8>) {
        let making = &mut self.export.making;
        let header = header(self.export.subject, making.columns.as_deref().unwrap_or_default());
        match self.export.format {
            FileFormat::Csv => {
                bytes.extend(MARK);
                write_csv(bytes, &header);
            }
            FileFormat::Xlsx => {
                bytes.extend(sheet::begin());
                let mut xml = sheet::opening();
                sheet::row(&mut xml, header.iter().map(String::as_str));
                bytes.extend(sheet::pack(&mut making.sheet, &xml));
            }
        }
    }

    fn add(&mut self, page: &Page, bytes: &mut Vec<u8>) {
        let making = &mut self.export.making;
        let columns = making.columns.as_deref().unwrap_or_default();
        let rows = page.records.iter().map(|record| cells(record, columns));
        self.export.rows += page.records.len() as u64;
        match self.export.format {
            FileFormat::Csv => rows.for_each(|cells| write_csv(bytes, &record::guarded(&cells))),
            FileFormat::Xlsx => {
                let mut xml = String::new();
                rows.for_each(|cells| sheet::row(&mut xml, cells.iter().map(String::as_str)));
                bytes.extend(sheet::pack(&mut making.sheet, &xml));
            }
        }
    }

    fn is_too_large(&self) -> bool {
        let sheet = self.export.making.sheet;
        self.export.format == FileFormat::Xlsx
            && (self.export.rows > MAX_SHEET_ROWS || sheet.unpacked.max(sheet.packed) > sheet::MAX_BYTES)
    }

    /// Makes the file of its pieces.
    async fn end(mut self) -> Result<Next, PortError> {
        let (blobs, names) = (&*self.with.blobs, piece_names(&self.export));
        let file = exported(self.export.account, self.export.id);
        if self.is_too_large() {
            (self.export.stage, self.export.failure) = (Stage::Failed, Some(TOO_LARGE.to_owned()));
        } else {
            if !join(blobs, &names, &self.export.making.pieces, &file).await? {
                return Ok(Next::Now);
            }
            self.export.stage = Stage::Completed;
            self.export.size = blobs.size(&file).await?;
        }
        let now = self.with.clock.now();
        self.export.finished_at = Some(now);
        self.export.kept_until = now + KEPT;
        if !self.tenant.files().change_export(&self.export).await? {
            return Ok(Next::Now);
        }
        forget(blobs, &names, self.stale.as_slice()).await?;
        forget(blobs, &names, &self.export.making.pieces.names).await?;
        Ok(Next::At(self.export.kept_until))
    }
}

fn write_csv(bytes: &mut Vec<u8>, cells: &[String]) {
    let mut writer = csv::Writer::from_writer(bytes);
    // Memory takes all that is written to it.
    let _ = writer.write_record(cells);
    let _ = writer.flush();
}
