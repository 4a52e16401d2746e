//! Large things in a bucket of S3.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use hantar_domain::ids::AccountId;
use hantar_usecases::ports::{BlobKey, Blobs, Clock, PortError, Presigned};

use super::presign::Bucket;
use crate::aws::{AwsEndpoint, Connector, retries, timeouts};

/// One call, one try: a piece of some megabytes.
const ATTEMPT: Duration = Duration::from_secs(15);
/// One call with all its tries.
const OPERATION: Duration = Duration::from_secs(40);

/// A bucket.
pub struct S3Blobs {
    client: Client,
    bucket: Bucket,
    clock: Arc<dyn Clock>,
}

impl S3Blobs {
    /// The bucket of this name. Calls nobody yet.
    pub fn new(
        endpoint: &AwsEndpoint,
        connector: Connector,
        sleep: SharedAsyncSleep,
        time: SharedTimeSource,
        bucket: String,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(endpoint.provider())
            .sleep_impl(sleep)
            .time_source(time)
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION))
            .force_path_style(endpoint.endpoint_url.is_some())
            // What only speaks like S3 does not know its newer check sums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(url) = &endpoint.endpoint_url {
            config = config.endpoint_url(url);
        }
        config = match connector {
            Connector::InProcess(client) => config.http_client(client),
            Connector::Https => config,
        };
        Self { client: Client::from_conf(config.build()), bucket: Bucket::new(endpoint, bucket), clock }
    }

    /// Copies the pieces into an upload that is under way.
    async fn copy(
        &self,
        object: &str,
        upload: &str,
        pieces: &[BlobKey],
    ) -> Result<Option<Vec<CompletedPart>>, PortError> {
        let mut parts = Vec::with_capacity(pieces.len());
        for (number, piece) in (1..).zip(pieces) {
            let source = format!("{}/{}", self.bucket.name(), Bucket::object(piece));
            let call = self.client.upload_part_copy().bucket(self.bucket.name()).key(object).upload_id(upload);
            let copied = match call.part_number(number).copy_source(source).send().await {
                Ok(copied) => copied.copy_part_result.and_then(|result| result.e_tag),
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(failure(error)),
            };
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(copied).build());
        }
        Ok(Some(parts))
    }

    /// Deletes all objects whose names begin so.
    async fn delete_beginning(&self, prefix: &str) -> Result<(), PortError> {
        loop {
            let call = self.client.list_objects_v2().bucket(self.bucket.name()).prefix(prefix);
            let found = call.send().await.map_err(failure)?.contents.unwrap_or_default();
            let names = found.into_iter().filter_map(|object| object.key);
            let names: Result<Vec<_>, _> = names.map(|name| ObjectIdentifier::builder().key(name).build()).collect();
            let names = names.map_err(unbuilt)?;
            if names.is_empty() {
                return Ok(());
            }
            let names = Delete::builder().set_objects(Some(names)).quiet(true).build().map_err(unbuilt)?;
            let call = self.client.delete_objects().bucket(self.bucket.name()).delete(names);
            let refused = call.send().await.map_err(failure)?.errors.unwrap_or_default();
            if let Some(error) = refused.into_iter().next() {
                let source = format!("an object was not deleted: {}", error.code.unwrap_or_default()).into();
                return Err(PortError::Unavailable { what: "blob store", source });
            }
        }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), PortError> {
        let call = self.client.put_object().bucket(self.bucket.name()).key(Bucket::object(key));
        call.body(ByteStream::from(bytes)).send().await.map_err(failure).map(drop)
    }

    async fn read(&self, key: &BlobKey, from: u64, most: usize) -> Result<Option<Vec<u8>>, PortError> {
        if most == 0 {
            return Ok(self.size(key).await?.map(|_| Vec::new()));
        }
        let range = format!("bytes={from}-{}", from.saturating_add(most as u64 - 1));
        let call = self.client.get_object().bucket(self.bucket.name()).key(Bucket::object(key)).range(range);
        match call.send().await {
            Ok(answer) => {
                let bytes = answer.body.collect().await.map_err(|error| unavailable(error.into()))?;
                Ok(Some(bytes.into_bytes().into()))
            }
            Err(error) => match error.code() {
                Some("NoSuchKey") => Ok(None),
                // Behind its end.
                Some("InvalidRange") => Ok(Some(Vec::new())),
                _ => Err(failure(error)),
            },
        }
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, PortError> {
        let call = self.client.head_object().bucket(self.bucket.name()).key(Bucket::object(key));
        match call.send().await {
            Ok(answer) => Ok(answer.content_length.and_then(|length| u64::try_from(length).ok())),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    async fn join(&self, key: &BlobKey, pieces: &[BlobKey]) -> Result<bool, PortError> {
        let object = Bucket::object(key);
        let begun = self.client.create_multipart_upload().bucket(self.bucket.name()).key(&object).send().await;
        let upload = begun.map_err(failure)?.upload_id.ok_or_else(|| unavailable("an upload has no name".into()))?;
        let copied = self.copy(&object, &upload, pieces).await;
        let Ok(Some(parts)) = copied else {
            // The bucket's rules end what is not ended here.
            let ended = self.client.abort_multipart_upload().bucket(self.bucket.name()).key(&object).upload_id(upload);
            let _ = ended.send().await;
            return copied.map(|_| false);
        };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = self.client.complete_multipart_upload().bucket(self.bucket.name()).key(&object).upload_id(upload);
        call.multipart_upload(parts).send().await.map_err(failure).map(|_| true)
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), PortError> {
        let call = self.client.delete_object().bucket(self.bucket.name()).key(Bucket::object(key));
        call.send().await.map_err(failure).map(drop)
    }

    async fn delete_all(&self, account: AccountId) -> Result<(), PortError> {
        let call = self.client.list_objects_v2().bucket(self.bucket.name()).delimiter("/");
        let kinds = call.send().await.map_err(failure)?.common_prefixes.unwrap_or_default();
        for kind in kinds.into_iter().filter_map(|kind| kind.prefix) {
            self.delete_beginning(&format!("{kind}{account}/")).await?;
        }
        Ok(())
    }

    async fn upload(&self, key: &BlobKey, size: u64, valid_for: Duration) -> Result<Presigned, PortError> {
        self.bucket.upload(key, size, valid_for, &*self.clock).await
    }

    async fn download(&self, key: &BlobKey, filename: &str, valid_for: Duration) -> Result<Presigned, PortError> {
        self.bucket.download(key, filename, valid_for, &*self.clock).await
    }
}

fn unbuilt(error: aws_smithy_types::error::operation::BuildError) -> PortError {
    unavailable(Box::new(error))
}

fn unavailable(source: Box<dyn std::error::Error + Send + Sync>) -> PortError {
    PortError::Unavailable { what: "blob store", source }
}

fn failure<E, R>(error: SdkError<E, R>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some("SlowDown" | "ServiceUnavailable") => PortError::Throttled { retry_after: Duration::from_secs(1) },
        _ => unavailable(Box::new(error)),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "where the emulator is, the environment says")]
mod tests {
    use aws_smithy_async::time::SystemTimeSource;
    use hantar_usecases::ports::PIECE_BYTES;

    use super::*;
    use crate::aws::{static_credentials, tokio_sleep};
    use crate::clock::SystemClock;

    /// A bucket in the emulator that `HANTAR_EMULATOR_URL` names; `None` without one, unless the run insists on it.
    async fn bucket() -> Option<S3Blobs> {
        let Ok(url) = std::env::var("HANTAR_EMULATOR_URL") else {
            assert!(std::env::var("HANTAR_REQUIRE_EMULATOR").is_err(), "HANTAR_EMULATOR_URL is not set");
            return None;
        };
        let credentials = Some(static_credentials("test", "test", None));
        let endpoint = AwsEndpoint { endpoint_url: Some(url), region: "us-east-1".into(), credentials };
        let time = SharedTimeSource::new(SystemTimeSource::new());
        let clock = Arc::new(SystemClock);
        let blobs = S3Blobs::new(&endpoint, Connector::Https, tokio_sleep(), time, "hantar-blobs".into(), clock);
        // One of an earlier run is as good.
        let _ = blobs.client.create_bucket().bucket("hantar-blobs").send().await;
        Some(blobs)
    }

    fn key(account: u64, name: &str) -> BlobKey {
        BlobKey::new(AccountId(account), "imports", name)
    }

    #[tokio::test]
    async fn a_blob_is_read_in_parts_and_gone_once_it_is_deleted() {
        let Some(blobs) = bucket().await else { return };
        let key = key(1, "1.csv");
        assert_eq!(blobs.read(&key, 0, 10).await.unwrap(), None);
        assert_eq!(blobs.size(&key).await.unwrap(), None);
        blobs.put(&key, b"hello".to_vec()).await.unwrap();
        assert_eq!(blobs.size(&key).await.unwrap(), Some(5));
        assert_eq!(blobs.read(&key, 1, 3).await.unwrap().unwrap(), b"ell");
        assert_eq!(blobs.read(&key, 5, 3).await.unwrap().unwrap(), b"");
        blobs.delete(&key).await.unwrap();
        blobs.delete(&key).await.unwrap();
        assert_eq!(blobs.size(&key).await.unwrap(), None);
    }

    #[tokio::test]
    async fn blobs_are_joined_in_their_order_or_not_at_all() {
        let Some(blobs) = bucket().await else { return };
        let (one, two, whole) = (key(2, "1"), key(2, "2"), key(2, "whole"));
        blobs.put(&one, vec![b'x'; PIECE_BYTES]).await.unwrap();
        assert!(!blobs.join(&whole, &[one.clone(), two.clone()]).await.unwrap(), "one is not there");
        assert_eq!(blobs.size(&whole).await.unwrap(), None);
        blobs.put(&two, b"end".to_vec()).await.unwrap();
        for _ in 0..2 {
            assert!(blobs.join(&whole, &[one.clone(), two.clone()]).await.unwrap());
            assert_eq!(blobs.read(&whole, PIECE_BYTES as u64 - 1, 9).await.unwrap().unwrap(), b"xend");
        }
        blobs.delete_all(AccountId(2)).await.unwrap();
    }

    #[tokio::test]
    async fn an_accounts_blobs_go_together_and_others_stay() {
        let Some(blobs) = bucket().await else { return };
        let other = BlobKey::new(AccountId(3), "exports", "1");
        for key in [&key(3, "1"), &other, &key(33, "1")] {
            blobs.put(key, b"hello".to_vec()).await.unwrap();
        }
        blobs.delete_all(AccountId(3)).await.unwrap();
        assert_eq!(blobs.size(&key(3, "1")).await.unwrap(), None);
        assert_eq!(blobs.size(&other).await.unwrap(), None);
        assert_eq!(blobs.size(&key(33, "1")).await.unwrap(), Some(5));
        blobs.delete_all(AccountId(33)).await.unwrap();
    }
}
