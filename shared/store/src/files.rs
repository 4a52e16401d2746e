//! Imports, exports and uploads: every method leads to the file of its noun. What only the making of a file needs is a text of
//! JSON in its item, which nobody but the store reads.

use async_trait::async_trait;
use hantar_domain::export::Export;
use hantar_domain::file::Pieces;
use hantar_domain::ids::{ExportId, ImportId, UploadId};
use hantar_domain::import::Import;
use hantar_domain::media::Upload;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Created, Files, Idempotency, ImportStart, PortError};
use serde::{Deserialize, Serialize};

use crate::items::Fields;
use crate::places::Place;
use crate::tenant::TenantStore;

#[async_trait]
impl Files for TenantStore {
    async fn add_import(
        &self,
        import: &Import,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Import>, PortError> {
        self.store_import(import, idempotency).await
    }

    async fn import(&self, id: ImportId) -> Result<Option<Import>, PortError> {
        self.own_import(id).await
    }

    async fn earlier_start(&self, key: &Idempotency, at: Timestamp) -> Result<Option<ImportStart>, PortError> {
        self.begun_before(key, at).await
    }

    async fn start_import(
        &self,
        import: &Import,
        at: Timestamp,
        idempotency: Option<&Idempotency>,
    ) -> Result<ImportStart, PortError> {
        self.begin_import(import, at, idempotency).await
    }

    async fn change_import(&self, import: &Import) -> Result<bool, PortError> {
        self.move_import(import).await
    }

    async fn add_export(
        &self,
        export: &Export,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Export>, PortError> {
        self.store_export(export, idempotency).await
    }

    async fn export(&self, id: ExportId) -> Result<Option<Export>, PortError> {
        self.own_export(id).await
    }

    async fn change_export(&self, export: &Export) -> Result<bool, PortError> {
        self.move_export(export).await
    }

    async fn add_upload(
        &self,
        upload: &Upload,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Upload>, PortError> {
        self.store_upload(upload, idempotency).await
    }

    async fn uploads(&self, ids: &[UploadId]) -> Result<Vec<Upload>, PortError> {
        self.some_uploads(ids).await
    }
}

/// A file in pieces, as stored.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct StoredPieces {
    names: Vec<String>,
    short: Option<u64>,
}

impl StoredPieces {
    pub(crate) fn of(pieces: &Pieces) -> Self {
        Self { names: pieces.names.clone(), short: pieces.short }
    }

    pub(crate) fn pieces(self) -> Pieces {
        Pieces { names: self.names, short: self.short }
    }
}

/// The JSON of something that is kept whole. Plain values always have one.
pub(crate) fn json<T: Serialize>(value: &T, place: &Place) -> Result<String, PortError> {
    serde_json::to_string(value)
        .map_err(|error| PortError::Corrupt(format!("item {} / {} cannot be written: {error}", place.pk, place.sk)))
}

/// Reads what [`json`] wrote.
pub(crate) fn from_json<'a, T: Deserialize<'a>>(fields: Fields<'a>, name: &str) -> Result<T, PortError> {
    serde_json::from_str(fields.text(name)?).map_err(|_| fields.damaged(name))
}
