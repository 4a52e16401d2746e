//! An account's imports, exports and uploads. The files themselves are blobs.

use async_trait::async_trait;
use hantar_domain::export::Export;
use hantar_domain::ids::{ExportId, ImportId, UploadId};
use hantar_domain::import::Import;
use hantar_domain::media::Upload;
use hantar_domain::time::Timestamp;

use super::{Created, Idempotency, PortError};

/// What became of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportStart {
    /// It runs.
    Now,
    /// The idempotency key stood for this start. The import as it is.
    Replayed(Box<Import>),
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
    /// Somebody else changed the import meanwhile; nothing was written.
    Changed,
}

/// An account's imports, exports and uploads.
#[async_trait]
pub trait Files: Send + Sync {
    /// Stores a new import, and notes when its file is to be deleted should nobody start it. Never answers `Full`.
    async fn add_import(
        &self,
        import: &Import,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Import>, PortError>;

    /// One import, strongly consistent.
    async fn import(&self, id: ImportId) -> Result<Option<Import>, PortError>;

    /// What an idempotency key stands for as that of a start: `Replayed` or `KeyReused`; `None` when it stands for nothing.
    async fn earlier_start(&self, key: &Idempotency, at: Timestamp) -> Result<Option<ImportStart>, PortError>;

    /// Stores a started import and notes its work, in one transaction, if the stored one has its version.
    async fn start_import(
        &self,
        import: &Import,
        at: Timestamp,
        idempotency: Option<&Idempotency>,
    ) -> Result<ImportStart, PortError>;

    /// Stores how far an import is, if the stored one has its version; `false` when somebody else was faster.
    async fn change_import(&self, import: &Import) -> Result<bool, PortError>;

    /// Stores a new export and notes its work, in one transaction. Never answers `Full`.
    async fn add_export(
        &self,
        export: &Export,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Export>, PortError>;

    /// One export, strongly consistent.
    async fn export(&self, id: ExportId) -> Result<Option<Export>, PortError>;

    /// Stores how far an export is, if the stored one has its version; as [`Files::change_import`].
    async fn change_export(&self, export: &Export) -> Result<bool, PortError>;

    /// Stores a file that is to be uploaded, and notes when it is to be deleted. Never answers `Full`.
    async fn add_upload(
        &self,
        upload: &Upload,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Upload>, PortError>;

    /// Those of these uploads that there are, strongly consistent, in any order.
    async fn uploads(&self, ids: &[UploadId]) -> Result<Vec<Upload>, PortError>;
}
