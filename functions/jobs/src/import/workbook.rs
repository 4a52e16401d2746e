//! The first sheet of an XLSX workbook, as rows of text. What a hostile one could cost is found out before it is read.

use std::io::{Cursor, Read as _};

use calamine::{Data, DataRef, ExcelDateTime, Reader as _, Xlsx, XlsxCellReader};
use zip::ZipArchive;

/// The most that all parts of a workbook take, unpacked.
const MAX_UNPACKED: u64 = 2 * 1024 * 1024 * 1024;
/// The most that a part takes which is held in memory whole: all but the sheets.
const MAX_HELD: u64 = 128 * 1024 * 1024;
/// How many rows and columns a sheet has at most.
const MAX_ROW: u32 = 1_048_576;
const MAX_COLUMN: u32 = 16_384;
/// How long a part of the rows becomes.
const PART: usize = 256 * 1024;

/// Why a workbook is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoWorkbook {
    /// It is none.
    Unreadable,
    /// It takes too much room.
    TooLarge,
}

/// A workbook.
pub(crate) struct Workbook(Xlsx<Cursor<Vec<u8>>>);

/// The rows of its first sheet, from the first to the last, each where the sheet has it.
pub(crate) struct Rows<'a> {
    cells: XlsxCellReader<'a, Cursor<Vec<u8>>>,
    /// The row that is being read.
    row: u32,
    texts: Vec<String>,
    is_over: bool,
}

impl Workbook {
    /// Opens a file.
    pub(crate) fn open(file: Vec<u8>) -> Result<Self, NoWorkbook> {
        let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|_| NoWorkbook::Unreadable)?;
        let mut left = MAX_UNPACKED;
        for index in 0..archive.len() {
            let part = archive.by_index(index).map_err(|_| NoWorkbook::Unreadable)?;
            let is_sheet = part.name().is_ok_and(|name| name.starts_with("xl/worksheets/"));
            let most = if is_sheet { left } else { left.min(MAX_HELD) };
            let length = std::io::copy(&mut part.take(most + 1), &mut std::io::sink());
            let length = length.map_err(|_| NoWorkbook::Unreadable)?;
            if length > most {
                return Err(NoWorkbook::TooLarge);
            }
            left -= length;
        }
        Xlsx::new(archive.into_inner()).map(Self).map_err(|_| NoWorkbook::Unreadable)
    }

    /// Its rows.
    pub(crate) fn rows(&mut self) -> Result<Rows<'_>, NoWorkbook> {
        let first = self.0.sheet_names().into_iter().next().ok_or(NoWorkbook::Unreadable)?;
        let cells = self.0.worksheet_cells_reader(&first).map_err(|_| NoWorkbook::Unreadable)?;
        Ok(Rows { cells, row: 0, texts: Vec::new(), is_over: false })
    }
}

impl Rows<'_> {
    /// The next rows, separated by commas; `None` at the end.
    pub(crate) fn part(&mut self) -> Result<Option<Vec<u8>>, NoWorkbook> {
        let mut part = Vec::new();
        while part.len() < PART && !self.is_over {
            let Some(cell) = self.cells.next_cell().map_err(|_| NoWorkbook::Unreadable)? else {
                self.is_over = true;
                if !self.texts.is_empty() {
                    self.finish_row(&mut part);
                }
                break;
            };
            let (row, column) = cell.get_position();
            if row >= MAX_ROW || column >= MAX_COLUMN {
                return Err(NoWorkbook::TooLarge);
            }
            while self.row < row {
                self.finish_row(&mut part);
            }
            let column = column as usize;
            if self.texts.len() <= column {
                self.texts.resize(column + 1, String::new());
            }
            self.texts[column] = text(cell.get_value());
        }
        Ok((!part.is_empty() || !self.is_over).then_some(part))
    }

    fn finish_row(&mut self, part: &mut Vec<u8>) {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(part);
        let texts = std::mem::take(&mut self.texts);
        // Memory takes all that is written to it.
        let _ = if texts.is_empty() { writer.write_record([""]) } else { writer.write_record(texts) };
        let _ = writer.flush();
        drop(writer);
        self.row += 1;
    }
}

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::DateTime(at) if at.is_datetime() => moment(at),
        // A number without a fraction is written without one: spreadsheets take phone numbers for numbers.
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        DataRef::Error(_) => String::new(),
        other => Data::from(other.clone()).to_string(),
    }
}

/// A day, and a time of day where there is one.
fn moment(at: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if at.as_f64().fract() == 0.0 { date } else { format!("{date} {hour:02}:{minute:02}:{second:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_workbook_is_not_read() {
        for file in [&b""[..], b"phone,name\n", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(Workbook::open(file.to_vec()).err(), Some(NoWorkbook::Unreadable));
        }
    }
}
