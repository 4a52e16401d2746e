//! Rows of text, read from a window of a file: as many as are whole, and where each ends.

use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::WINDOWS_1252;
use hantar_domain::import::{Encoding, Separator};

/// The longest row, in bytes.
pub(crate) const MAX_ROW_BYTES: usize = 64 * 1024;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What stands between cells.
    pub(crate) separator: Separator,
    /// How texts are written; `None`: each cell in UTF-8 if it is that, and in Windows-1252 if it is not.
    pub(crate) encoding: Option<Encoding>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its cells.
    pub(crate) cells: Vec<String>,
    /// Where the next one begins, in the window.
    pub(crate) end: usize,
}

/// A row goes on and on. How many whole ones stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong(pub(crate) usize);

impl Record {
    /// Whether nothing stands in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.trim().is_empty())
    }
}

/// The whole rows of a window, at most so many. `last` says that the file ends where the window does. None at all only
/// where the window holds none to its end.
pub(crate) fn records(window: &[u8], last: bool, dialect: Dialect, most: usize) -> Result<Vec<Record>, TooLong> {
    let mut reader =
        ReaderBuilder::new().delimiter(dialect.separator.byte()).has_headers(false).flexible(true).from_reader(window);
    let (mut records, mut bytes, mut begin) = (Vec::new(), ByteRecord::new(), 0);
    while records.len() < most {
        // A window is no file and fails in no other way than by its end.
        if !reader.read_byte_record(&mut bytes).unwrap_or(false) {
            break;
        }
        let end = usize::try_from(reader.position().byte()).unwrap_or(window.len());
        if end - begin > MAX_ROW_BYTES {
            return Err(TooLong(records.len()));
        }
        // What reaches to the window's end may go on behind it.
        if !last && end >= window.len() {
            break;
        }
        records.push(Record { cells: bytes.iter().map(|cell| text(cell, dialect.encoding)).collect(), end });
        begin = end;
    }
    Ok(records)
}

fn text(cell: &[u8], encoding: Option<Encoding>) -> String {
    let western = || WINDOWS_1252.decode_without_bom_handling(cell).0.into_owned();
    match encoding {
        Some(Encoding::Windows1252) => western(),
        Some(_) => String::from_utf8_lossy(cell).into_owned(),
        None => std::str::from_utf8(cell).map_or_else(|_| western(), str::to_owned),
    }
}

/// What stands between cells in the first row of a file that begins like this: what is there most often, not counting
/// what is quoted.
pub(crate) fn separator_of(head: &[u8]) -> Separator {
    let (mut quoted, mut counts) = (false, [0_usize; 3]);
    for byte in head {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted && counts.iter().any(|count| *count > 0) => break,
            byte if !quoted => {
                for (separator, count) in Separator::ALL.iter().zip(&mut counts) {
                    *count += usize::from(separator.byte() == *byte);
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let found = Separator::ALL.into_iter().zip(counts).find(|(_, count)| *count == most);
    found.map_or(Separator::Comma, |(separator, _)| separator)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMAS: Dialect = Dialect { separator: Separator::Comma, encoding: None };

    fn cells(window: &[u8], last: bool) -> Vec<Vec<String>> {
        records(window, last, COMMAS, 100).unwrap().into_iter().map(|record| record.cells).collect()
    }

    #[test]
    fn a_row_that_may_go_on_behind_the_window_is_left_for_the_next() {
        assert_eq!(cells(b"a,b\nc,d", false), [["a", "b"]]);
        assert_eq!(cells(b"a,b\nc,d", true), [["a", "b"], ["c", "d"]]);
        assert_eq!(cells(b"a,\"b\nc\"", false), [[""; 2]; 0]);
        assert_eq!(cells(b"a,\"b\nc\"\r\nd\r\n", true), [vec!["a", "b\nc"], vec!["d"]]);
    }

    #[test]
    fn texts_that_are_not_utf_8_are_taken_for_windows_1252() {
        assert_eq!(cells(b"Jos\xe9,Jos\xc3\xa9,\x80\n", true), [["José", "José", "€"]]);
        let western = Dialect { encoding: Some(Encoding::Windows1252), ..COMMAS };
        assert_eq!(records(b"\xc3\xa9\n", true, western, 1).unwrap()[0].cells, ["Ã©"]);
    }

    #[test]
    fn a_quotation_mark_that_is_missing_does_not_swallow_the_file() {
        let file = format!("a\nb\n\"c\n{}", "d\n".repeat(MAX_ROW_BYTES));
        assert_eq!(records(file.as_bytes(), true, COMMAS, 100), Err(TooLong(2)));
    }

    #[test]
    fn the_separator_is_what_the_first_row_has_most_of() {
        for (head, separator) in [
            ("a,b;c,d\n;;;;", Separator::Comma),
            ("a;b;\"c,d,e,f\"\n", Separator::Semicolon),
            ("\n\na\tb\n", Separator::Tab),
            ("phone\n0123,456", Separator::Comma),
            ("", Separator::Comma),
        ] {
            assert_eq!(separator_of(head.as_bytes()), separator, "{head}");
        }
    }

    proptest! {
        #[test]
        fn however_a_file_is_cut_into_windows_its_rows_are_the_same(
            file in "([ab\",]{0,4}(\r\n|\n|\"\"|\"\n\")){0,12}",
            cut in 1_usize..20,
        ) {
            let whole = records(file.as_bytes(), true, COMMAS, 1000).unwrap();
            let (mut at, mut read, mut size) = (0, Vec::new(), cut);
            while at < file.len() {
                let end = (at + size).min(file.len());
                let found = records(&file.as_bytes()[at..end], end == file.len(), COMMAS, 1000).unwrap();
                match found.last() {
                    Some(record) => (at, size) = (at + record.end, cut),
                    None if end == file.len() => break,
                    None => size += cut,
                }
                read.extend(found.into_iter().map(|record| record.cells));
            }
            prop_assert_eq!(read, whole.into_iter().map(|record| record.cells).collect::<Vec<_>>());
        }
    }
}
