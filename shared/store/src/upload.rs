//! Files that were uploaded to be sent. The files themselves are blobs.

use hantar_domain::ids::UploadId;
use hantar_domain::media::Upload;
use hantar_usecases::ports::{Created, Idempotency, PortError, Work};

use crate::idempotency::Keyed;
use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::{Place, Table, UPLOAD};
use crate::tenant::TenantStore;
use crate::work::arm;
use crate::writing::Write;

/// The kind of thing that an idempotency key stands for.
const KIND: &str = "up";

fn item(upload: &Upload) -> Item {
    NewItem::at(&Place::upload(upload.account, upload.id))
        .with("n", text(&upload.filename))
        .with("z", number(upload.size))
        .with("t", time(upload.created_at))
        .with("ku", time(upload.kept_until))
        .with(TTL, expiry(upload.kept_until))
        .done()
}

fn read(item: &Item) -> Result<Upload, PortError> {
    let fields = Fields(item);
    Ok(Upload {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#F")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(UPLOAD)?.parse().ok())?,
        filename: fields.text("n")?.to_owned(),
        size: fields.number("z")?,
        created_at: fields.time("t")?,
        kept_until: fields.time("ku")?,
    })
}

impl TenantStore {
    pub(crate) async fn some_uploads(&self, ids: &[UploadId]) -> Result<Vec<Upload>, PortError> {
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let places: Vec<_> = wanted.iter().map(|id| Place::upload(self.account, *id)).collect();
        self.store.get_all(Table::Business, &places).await?.iter().map(read).collect()
    }

    pub(crate) async fn store_upload(
        &self,
        upload: &Upload,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Upload>, PortError> {
        let put = Write::put(&Place::upload(self.account, upload.id), item(upload)).if_new();
        let tidied = arm(self.account, Work::Upload(upload.id), upload.kept_until);
        let keyed = self.under_key(vec![put, tidied], idempotency, (KIND, upload.id.0), upload.created_at).await?;
        Ok(match keyed {
            Keyed::Done => Created::New,
            Keyed::Replayed(id) => match self.some_uploads(&[UploadId(id)]).await?.pop() {
                Some(earlier) => Created::Replayed(Box::new(earlier)),
                None => Created::KeyReused,
            },
            Keyed::Reused => Created::KeyReused,
            Keyed::Refused => return Err(PortError::Corrupt(format!("upload number {} is taken", upload.id))),
        })
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::AccountId;
    use hantar_domain::time::Timestamp;

    use super::*;

    #[test]
    fn an_upload_is_read_back_as_it_was_written() {
        let upload = Upload {
            account: AccountId(1),
            id: UploadId(2),
            filename: "price list.pdf".into(),
            size: 3,
            created_at: Timestamp(4),
            kept_until: Timestamp(5),
        };
        assert_eq!(read(&item(&upload)).unwrap(), upload);
    }
}
