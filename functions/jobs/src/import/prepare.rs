//! Makes a file ready to be read row by row: looks whether it is there, and writes one anew that cannot be read from any
//! byte on.

use encoding_rs::UTF_16LE;
use hantar_domain::file::{FileFormat, Pieces};
use hantar_domain::import::{Encoding, Trouble};
use hantar_usecases::import_contacts::uploaded;
use hantar_usecases::ports::{BlobKey, PIECE_BYTES, PortError};

use super::workbook::{NoWorkbook, Workbook};
use super::{Halt, Reader, WINDOW, reject_names, rewritten};
use crate::pieces::{forget, join};

impl Reader<'_> {
    /// Never answers that the file is at its end.
    pub(super) async fn prepare(&mut self) -> Result<bool, Halt> {
        let key = uploaded(self.import.account, self.import.id);
        let size = self.with.blobs.size(&key).await?.ok_or(Trouble::NotUploaded)?;
        if size != self.import.size {
            return Err(Trouble::OtherSize.into());
        }
        let length = match self.import.format {
            FileFormat::Xlsx => Some(self.unpack(&key).await?),
            FileFormat::Csv if self.is_utf_16(&key).await? => Some(self.decode(&key).await?),
            FileFormat::Csv => None,
        };
        self.import.reading.rewritten = length.is_some();
        self.import.reading.length = Some(length.unwrap_or(size));
        self.reserve().await?;
        Ok(false)
    }

    /// Says so by its mark, or by the zeros that stand beside the characters of the West.
    async fn is_utf_16(&self, key: &BlobKey) -> Result<bool, Halt> {
        if let Some(encoding) = self.plan.encoding {
            return Ok(encoding == Encoding::Utf16);
        }
        let head = self.with.blobs.read(key, 0, 64).await?.unwrap_or_default();
        let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
        Ok(marked || (head.len() >= 4 && head[1] == 0 && head[3] == 0 && head[0] != 0))
    }

    async fn decode(&self, key: &BlobKey) -> Result<u64, Halt> {
        let (mut copy, mut at, mut decoder) = (Copy::of(self), 0, UTF_16LE.new_decoder());
        loop {
            let window = self.with.blobs.read(key, at, WINDOW).await?.ok_or(Halt::Overtaken)?;
            at += window.len() as u64;
            let last = window.is_empty() || at >= self.import.size;
            let mut text = String::with_capacity(decoder.max_utf8_buffer_length(window.len()).unwrap_or(4 * WINDOW));
            let _ = decoder.decode_to_string(&window, &mut text, last);
            copy.write(text.as_bytes()).await?;
            if last {
                return copy.end().await;
            }
        }
    }

    async fn unpack(&self, key: &BlobKey) -> Result<u64, Halt> {
        let mut file = Vec::with_capacity(usize::try_from(self.import.size).unwrap_or(0));
        while (file.len() as u64) < self.import.size {
            let window = self.with.blobs.read(key, file.len() as u64, WINDOW).await?.ok_or(Halt::Overtaken)?;
            if window.is_empty() {
                return Err(Trouble::OtherSize.into());
            }
            file.extend(window);
        }
        let mut workbook = Workbook::open(file)?;
        let (mut rows, mut copy) = (workbook.rows()?, Copy::of(self));
        while let Some(part) = rows.part()? {
            copy.write(&part).await?;
        }
        copy.end().await
    }
}

impl From<NoWorkbook> for Halt {
    fn from(error: NoWorkbook) -> Self {
        Self::from(match error {
            NoWorkbook::Unreadable => Trouble::NoWorkbook,
            NoWorkbook::TooLarge => Trouble::TooLarge,
        })
    }
}

/// A file being written anew. A second try writes the same pieces again.
struct Copy<'a> {
    reader: &'a Reader<'a>,
    bytes: Vec<u8>,
    pieces: Pieces,
    length: u64,
}

impl<'a> Copy<'a> {
    fn of(reader: &'a Reader<'a>) -> Self {
        Self { reader, bytes: Vec::new(), pieces: Pieces::default(), length: 0 }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.bytes.extend(bytes);
        if self.bytes.len() >= PIECE_BYTES { self.put().await } else { Ok(()) }
    }

    async fn put(&mut self) -> Result<(), PortError> {
        let name = format!("copy{}", self.pieces.names.len());
        self.length += self.bytes.len() as u64;
        let key = reject_names(&self.reader.import)(&name);
        self.reader.with.blobs.put(&key, std::mem::take(&mut self.bytes)).await?;
        self.pieces.names.push(name);
        Ok(())
    }

    /// Answers how long it is.
    async fn end(mut self) -> Result<u64, Halt> {
        self.put().await?;
        let (blobs, import) = (&*self.reader.with.blobs, &self.reader.import);
        let (names, file) = (reject_names(import), rewritten(import.account, import.id));
        if !join(blobs, &names, &self.pieces, &file).await? {
            return Err(Halt::Overtaken);
        }
        forget(blobs, &names, &self.pieces.names).await?;
        Ok(self.length)
    }
}
