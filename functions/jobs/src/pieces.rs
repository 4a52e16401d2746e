//! A file that is made over several steps, of which each may die and be done again.
//!
//! Blobs do not grow. So a step writes a piece under a name of its own, and the record that says how far the step came
//! names it; a piece that is too short to be joined is read by the next step and written again, longer, under another
//! name. What a step wrote that nobody recorded is garbage, and never part of the file.

use hantar_domain::file::Pieces;
use hantar_usecases::ports::{BlobKey, Blobs, PIECE_BYTES, PortError};

/// The piece that is being written.
pub(crate) struct Piece {
    /// Its bytes so far.
    pub(crate) bytes: Vec<u8>,
    earlier: Vec<String>,
    replaced: Option<String>,
}

/// Where the pieces of a file are, by their names.
pub(crate) trait Names: Fn(&str) -> BlobKey + Send + Sync {}

impl<F: Fn(&str) -> BlobKey + Send + Sync> Names for F {}

impl Piece {
    /// Goes on where the record says. `None` when its last piece is not there: somebody else has come further.
    pub(crate) async fn open(
        blobs: &dyn Blobs,
        names: &impl Names,
        pieces: &Pieces,
    ) -> Result<Option<Self>, PortError> {
        let mut earlier = pieces.names.clone();
        let Some(length) = pieces.short else { return Ok(Some(Self { bytes: Vec::new(), earlier, replaced: None })) };
        let Some(name) = earlier.pop() else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = blobs.read(&names(&name), 0, length.min(PIECE_BYTES)).await?;
        let bytes = bytes.filter(|bytes| bytes.len() == length);
        Ok(bytes.map(|bytes| Self { bytes, earlier, replaced: Some(name) }))
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_first(&self) -> bool {
        self.bytes.is_empty() && self.earlier.is_empty()
    }

    /// Whether it is long enough.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_BYTES
    }

    /// Stores the piece under `name`, which no other piece of the file has, and answers what is to be recorded, with the
    /// name of the piece that nobody needs once it is.
    pub(crate) async fn close(
        self,
        blobs: &dyn Blobs,
        names: &impl Names,
        name: String,
    ) -> Result<(Pieces, Option<String>), PortError> {
        let Self { bytes, earlier: mut all, replaced } = self;
        if bytes.is_empty() {
            return Ok((Pieces { names: all, short: None }, replaced));
        }
        let short = (bytes.len() < PIECE_BYTES).then_some(bytes.len() as u64);
        blobs.put(&names(&name), bytes).await?;
        let replaced = replaced.filter(|earlier| *earlier != name);
        all.push(name);
        Ok((Pieces { names: all, short }, replaced))
    }
}

/// Makes the file of its pieces. `false` when one is not there: somebody else has come further.
pub(crate) async fn join(
    blobs: &dyn Blobs,
    names: &impl Names,
    pieces: &Pieces,
    file: &BlobKey,
) -> Result<bool, PortError> {
    let keys: Vec<BlobKey> = pieces.names.iter().map(|name| names(name)).collect();
    blobs.join(file, &keys).await
}

/// Deletes pieces that nobody needs any more.
pub(crate) async fn forget(blobs: &dyn Blobs, names: &impl Names, pieces: &[String]) -> Result<(), PortError> {
    for name in pieces {
        blobs.delete(&names(name)).await?;
    }
    Ok(())
}
