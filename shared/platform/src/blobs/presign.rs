//! A bucket of S3, or of what speaks like it (R2), and addresses in it under which one file may be put or fetched for a
//! while. They are signed here: nobody is called.
//!
//! In a bucket a blob's kind comes before its account, so that the bucket's own rules can say for how long each kind is
//! kept.

use std::sync::Arc;
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use hantar_domain::ids::AccountId;
use hantar_usecases::ports::{BlobKey, Blobs, Clock, PortError, Presigned};
use url::form_urlencoded;

use super::refuse;
use crate::aws::{AwsEndpoint, static_credentials};

/// What makes a bucket refuse a second file of one name.
const ONCE: (&str, &str) = ("if-none-match", "*");

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    name: String,
    /// What the addresses of its objects begin with, up to the slash.
    origin: String,
    region: String,
    credentials: SharedCredentialsProvider,
}

impl Bucket {
    /// The bucket of this name: in the endpoint's region, or at the address that stands in for it.
    pub fn new(endpoint: &AwsEndpoint, name: String) -> Self {
        let origin = match &endpoint.endpoint_url {
            Some(url) => format!("{}/{name}", url.trim_end_matches('/')),
            None => format!("https://{name}.s3.{}.amazonaws.com", endpoint.region),
        };
        let credentials = endpoint.credentials.clone();
        let credentials = credentials.unwrap_or_else(|| static_credentials("embedded", "embedded", None));
        Self { name, origin, region: endpoint.region.clone(), credentials }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a blob is called in it. Plain characters alone, which need no encoding.
    pub(crate) fn object(key: &BlobKey) -> String {
        let mut parts = key.as_str().splitn(3, '/');
        let (account, kind, name) = (parts.next(), parts.next(), parts.next());
        [kind, account, name].map(Option::unwrap_or_default).join("/")
    }

    /// Where one file of exactly `size` bytes may be put once.
    pub async fn upload(
        &self,
        key: &BlobKey,
        size: u64,
        valid_for: Duration,
        clock: &dyn Clock,
    ) -> Result<Presigned, PortError> {
        let address = format!("{}/{}", self.origin, Self::object(key));
        let size = size.to_string();
        let signed = [("content-length", size.as_str()), ONCE];
        let url = self.signed("PUT", &address, &signed, valid_for, clock).await?;
        // Whoever puts a file says its length of itself.
        Ok(Presigned { method: "PUT", url, headers: vec![(ONCE.0.to_owned(), ONCE.1.to_owned())] })
    }

    /// Where a blob may be fetched from, to be saved under `filename`.
    pub async fn download(
        &self,
        key: &BlobKey,
        filename: &str,
        valid_for: Duration,
        clock: &dyn Clock,
    ) -> Result<Presigned, PortError> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let filename: String = filename.chars().map(plain).collect();
        let saved = format!("response-content-disposition=attachment%3B%20filename%3D%22{filename}%22");
        let address = format!("{}/{}?{saved}", self.origin, Self::object(key));
        let url = self.signed("GET", &address, &[], valid_for, clock).await?;
        Ok(Presigned { method: "GET", url, headers: Vec::new() })
    }

    async fn signed(
        &self,
        method: &str,
        address: &str,
        headers: &[(&str, &str)],
        valid_for: Duration,
        clock: &dyn Clock,
    ) -> Result<String, PortError> {
        let credentials = self.credentials.provide_credentials().await.map_err(unsigned)?;
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(valid_for);
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(civil(clock))
            .settings(settings)
            .build()
            .map_err(unsigned)?;
        let body = SignableBody::UnsignedPayload;
        let request = SignableRequest::new(method, address, headers.iter().copied(), body).map_err(unsigned)?;
        let (_, query) = sign(request, &params.into()).map_err(unsigned)?.into_parts().0.into_parts();
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(query);
        let joint = if address.contains('?') { '&' } else { '?' };
        // What is signed has no blank that would be written as a plus.
        Ok(format!("{address}{joint}{}", text.finish()))
    }
}

fn civil(clock: &dyn Clock) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(clock.now().0).unwrap_or(0))
}

fn unsigned(error: impl std::error::Error + Send + Sync + 'static) -> PortError {
    PortError::Unavailable { what: "blob store", source: Box::new(error) }
}

/// Gives out addresses in a bucket, and reads and writes nothing itself: all that a Worker does.
pub struct Addresses {
    bucket: Bucket,
    clock: Arc<dyn Clock>,
}

impl Addresses {
    /// In this bucket.
    pub fn new(bucket: Bucket, clock: Arc<dyn Clock>) -> Self {
        Self { bucket, clock }
    }
}

#[async_trait]
impl Blobs for Addresses {
    async fn put(&self, _: &BlobKey, _: Vec<u8>) -> Result<(), PortError> {
        refuse()
    }

    async fn read(&self, _: &BlobKey, _: u64, _: usize) -> Result<Option<Vec<u8>>, PortError> {
        refuse()
    }

    async fn size(&self, _: &BlobKey) -> Result<Option<u64>, PortError> {
        refuse()
    }

    async fn join(&self, _: &BlobKey, _: &[BlobKey]) -> Result<bool, PortError> {
        refuse()
    }

    async fn delete(&self, _: &BlobKey) -> Result<(), PortError> {
        refuse()
    }

    async fn delete_all(&self, _: AccountId) -> Result<(), PortError> {
        refuse()
    }

    async fn upload(&self, key: &BlobKey, size: u64, valid_for: Duration) -> Result<Presigned, PortError> {
        self.bucket.upload(key, size, valid_for, &*self.clock).await
    }

    async fn download(&self, key: &BlobKey, filename: &str, valid_for: Duration) -> Result<Presigned, PortError> {
        self.bucket.download(key, filename, valid_for, &*self.clock).await
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use hantar_domain::time::Timestamp;

    use super::*;

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(self.0)
        }

        fn running(&self) -> Duration {
            Duration::ZERO
        }
    }

    const HOUR: Duration = Duration::from_hours(1);

    fn bucket(endpoint_url: Option<&str>) -> Bucket {
        let credentials = static_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
        let endpoint_url = endpoint_url.map(str::to_owned);
        let endpoint = AwsEndpoint { endpoint_url, region: "us-east-1".into(), credentials: Some(credentials) };
        Bucket::new(&endpoint, "examplebucket".into())
    }

    fn key() -> BlobKey {
        BlobKey::new(AccountId(7), "imports", "1.upload")
    }

    /// The example of AWS's own documents: "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
    #[tokio::test]
    async fn an_address_is_signed_as_aws_says() {
        let url = bucket(None)
            .signed(
                "GET",
                "https://examplebucket.s3.amazonaws.com/test.txt",
                &[],
                Duration::from_hours(24),
                &At(1_369_353_600),
            )
            .await
            .unwrap();
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(url.ends_with(&format!("X-Amz-Signature={signature}")), "{url}");
    }

    #[tokio::test]
    async fn a_file_is_put_once_and_as_long_as_was_said() {
        let upload = bucket(None).upload(&key(), 5, HOUR, &At(0)).await.unwrap();
        assert_eq!((upload.method, upload.headers), ("PUT", vec![("if-none-match".to_owned(), "*".to_owned())]));
        assert!(upload.url.starts_with("https://examplebucket.s3.us-east-1.amazonaws.com/imports/7/1.upload?"));
        assert!(upload.url.contains("X-Amz-SignedHeaders=content-length%3Bhost%3Bif-none-match"), "{}", upload.url);
        let longer = bucket(None).upload(&key(), 6, HOUR, &At(0)).await.unwrap();
        assert_ne!(upload.url, longer.url, "the length is signed");
    }

    #[tokio::test]
    async fn another_service_has_the_bucket_in_the_path_and_names_to_save_under_are_plain() {
        let bucket = bucket(Some("https://abc.r2.cloudflarestorage.com/"));
        let download = bucket.download(&key(), "a b\".csv", HOUR, &At(0)).await.unwrap();
        let begin = "https://abc.r2.cloudflarestorage.com/examplebucket/imports/7/1.upload?\
                     response-content-disposition=attachment%3B%20filename%3D%22a_b_.csv%22&X-Amz-";
        assert!(download.url.starts_with(begin), "{}", download.url);
    }
}
