//! A workbook of one sheet, written in parts by processes that may die in between.
//!
//! A workbook is a zip archive of small fixed parts and one large one, the sheet. The sheet's packed bytes are the joined
//! outputs of one compressor for each step, flushed to a whole byte at its end, as RFC 1951 allows; what the archive's
//! end must say of them (lengths and check sum) goes from step to step in the export's record. See decision 14.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use hantar_domain::export::Sheet;

/// The longest text that a cell holds, in characters.
const MAX_CELL_CHARS: usize = 32_767;
/// The longest archive of the plain format, without its 64-bit additions.
pub(crate) const MAX_BYTES: u64 = u32::MAX as u64 - 1024 * 1024;

const SHEET_NAME: &str = "xl/worksheets/sheet1.xml";
const SHEET_BEGIN: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
    r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#,
);
const SHEET_END: &str = "</sheetData></worksheet>";

/// The parts that are the same in every workbook.
const FIXED: [(&str, &str); 4] = [
    (
        "[Content_Types].xml",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">"#,
            r#"<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>"#,
            r#"<Default Extension="xml" ContentType="application/xml"/>"#,
            r#"<Override PartName="/xl/workbook.xml" "#,
            r#"ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>"#,
            r#"<Override PartName="/xl/worksheets/sheet1.xml" "#,
            r#"ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#,
        ),
    ),
    (
        "_rels/.rels",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
            r#"<Relationship Id="rId1" Target="xl/workbook.xml" "#,
            r#"Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>"#,
        ),
    ),
    (
        "xl/workbook.xml",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" "#,
            r#"xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">"#,
            r#"<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
        ),
    ),
    (
        "xl/_rels/workbook.xml.rels",
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
            r#"<Relationship Id="rId1" Target="worksheets/sheet1.xml" "#,
            r#"Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/></Relationships>"#,
        ),
    ),
];

/// The first bytes of every workbook, up to the sheet's packed ones.
pub(crate) fn begin() -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, text) in FIXED {
        let part = Part::fixed(name, text, archive.len());
        part.head(&mut archive);
        archive.extend(text.as_bytes());
    }
    Part::sheet(Sheet::default(), archive.len()).head(&mut archive);
    archive
}

/// What stands in front of the first row.
pub(crate) fn opening() -> String {
    SHEET_BEGIN.to_owned()
}

/// Adds a row to what is to be packed next.
pub(crate) fn row<'a>(xml: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    xml.push_str("<row>");
    for cell in cells {
        if cell.is_empty() {
            xml.push_str("<c/>");
            continue;
        }
        xml.push_str(r#"<c t="inlineStr"><is><t xml:space="preserve">"#);
        for c in cell.chars().take(MAX_CELL_CHARS) {
            match c {
                '&' => xml.push_str("&amp;"),
                '<' => xml.push_str("&lt;"),
                '>' => xml.push_str("&gt;"),
                '\t' | '\n' => xml.push(c),
                '\r' => xml.push_str("&#13;"),
                // XML has no way to say them.
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
                other => xml.push(other),
            }
        }
        xml.push_str("</t></is></c>");
    }
    xml.push_str("</row>");
}

/// Packs rows. What comes next may be packed by another process.
pub(crate) fn pack(sheet: &mut Sheet, xml: &str) -> Vec<u8> {
    let mut encoder = note(sheet, xml);
    // Memory takes all that is written to it.
    let _ = encoder.flush();
    let packed = std::mem::take(encoder.get_mut());
    sheet.packed += packed.len() as u64;
    packed
}

/// The last bytes of the workbook: the end of the sheet, and the archive's list of what it holds.
pub(crate) fn end(mut sheet: Sheet) -> Vec<u8> {
    let mut bytes = note(&mut sheet, SHEET_END).finish().unwrap_or_default();
    sheet.packed += bytes.len() as u64;
    let sheet_at = begin().len() - Part::sheet(sheet, 0).head_length();
    let sheet = Part::sheet(sheet, sheet_at);
    bytes.extend(DESCRIPTOR);
    sheet.sizes(&mut bytes);
    let mut at = 0;
    let mut parts = Vec::new();
    for (name, text) in FIXED {
        let part = Part::fixed(name, text, at);
        at += part.head_length() + text.len();
        parts.push(part);
    }
    let list_at = sheet_at + sheet.head_length() + whole(sheet.packed) + DESCRIPTOR.len() + 12;
    parts.push(sheet);
    let mut list = Vec::new();
    for part in &parts {
        part.entry(&mut list);
    }
    bytes.extend(&list);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count(parts.len()), count(parts.len())].concat());
    bytes.extend(length(list.len()));
    bytes.extend(length(list_at));
    bytes.extend([0, 0]);
    bytes
}

/// Begins to pack, and notes what is packed.
fn note(sheet: &mut Sheet, xml: &str) -> DeflateEncoder<Vec<u8>> {
    let mut check = crc32fast::Hasher::new_with_initial(sheet.check);
    check.update(xml.as_bytes());
    sheet.check = check.finalize();
    sheet.unpacked += xml.len() as u64;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    let _ = encoder.write_all(xml.as_bytes());
    encoder
}

const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
/// Needed to read it: version 2.0 of the format.
const VERSION: [u8; 2] = [20, 0];
/// The first of January 1980, as early as the format knows: a workbook is the same whenever it is made.
const TIME: [u8; 4] = [0, 0, 0x21, 0];

/// A part of the archive, as its list says it.
struct Part {
    name: &'static str,
    packed: u64,
    unpacked: u64,
    check: u32,
    is_packed: bool,
    at: usize,
}

impl Part {
    fn fixed(name: &'static str, text: &str, at: usize) -> Self {
        let size = text.len() as u64;
        Self { name, packed: size, unpacked: size, check: crc32fast::hash(text.as_bytes()), is_packed: false, at }
    }

    fn sheet(sheet: Sheet, at: usize) -> Self {
        let Sheet { packed, unpacked, check } = sheet;
        Self { name: SHEET_NAME, packed, unpacked, check, is_packed: true, at }
    }

    fn head_length(&self) -> usize {
        30 + self.name.len()
    }

    /// Flags, way of packing, time. Bit 3 says that sizes and check sum stand behind what is packed.
    fn way(&self, into: &mut Vec<u8>) {
        into.extend(VERSION);
        into.extend(if self.is_packed { [8, 0, 8, 0] } else { [0; 4] });
        into.extend(TIME);
    }

    fn sizes(&self, into: &mut Vec<u8>) {
        into.extend(self.check.to_le_bytes());
        into.extend(length(whole(self.packed)));
        into.extend(length(whole(self.unpacked)));
    }

    fn head(&self, into: &mut Vec<u8>) {
        into.extend(b"PK\x03\x04");
        self.way(into);
        if self.is_packed {
            into.extend([0; 12]);
        } else {
            self.sizes(into);
        }
        into.extend(count(self.name.len()));
        into.extend([0, 0]);
        into.extend(self.name.as_bytes());
    }

    fn entry(&self, into: &mut Vec<u8>) {
        into.extend(b"PK\x01\x02");
        into.extend(VERSION);
        self.way(into);
        self.sizes(into);
        into.extend(count(self.name.len()));
        into.extend([0; 12]);
        into.extend(length(self.at));
        into.extend(self.name.as_bytes());
    }
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Lengths stay below [`MAX_BYTES`].
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn count(things: usize) -> [u8; 2] {
    u16::try_from(things).unwrap_or(u16::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::workbook::Workbook;

    /// A workbook of these rows, packed a few at a time.
    fn workbook(rows: &[Vec<String>], at_a_time: usize) -> Vec<u8> {
        let (mut file, mut sheet) = (begin(), Sheet::default());
        file.extend(pack(&mut sheet, &opening()));
        for rows in rows.chunks(at_a_time) {
            let mut xml = String::new();
            for cells in rows {
                row(&mut xml, cells.iter().map(String::as_str));
            }
            file.extend(pack(&mut sheet, &xml));
        }
        file.extend(end(sheet));
        file
    }

    fn read(file: Vec<u8>) -> String {
        let (mut workbook, mut text) = (Workbook::open(file).unwrap(), Vec::new());
        let mut rows = workbook.rows().unwrap();
        while let Some(part) = rows.part().unwrap() {
            text.extend(part);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_workbook_holds_what_was_put_in() {
        let rows = [vec!["phone", "name"], vec!["+60123456789", "Ali & <Abu>"], vec!["", " \u{1f600} "]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read(workbook(&rows, 1)), "phone,name\n+60123456789,Ali & <Abu>\n, \u{1f600} \n");
    }

    proptest! {
        #[test]
        fn however_it_was_made_it_is_read_the_same(
            rows in proptest::collection::vec(proptest::collection::vec("[a-z<&\u{e9}]{1,8}", 1..4), 1..30),
            at_a_time in 1_usize..9,
        ) {
            let expected = rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join("\n") + "\n";
            prop_assert_eq!(read(workbook(&rows, at_a_time)), expected);
        }
    }
}
