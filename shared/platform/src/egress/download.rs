//! Fetching a file from a foreign address: a bounded GET that follows a few redirects, each guarded like the first call.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::egress::Target;
use hantar_usecases::ports::{Download, DownloadError, Downloaded};
use http_body_util::BodyExt as _;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use hyper::{Response, body::Incoming};
use tokio::time::timeout;

use super::{Failure, GuardedEgress, exchange};

/// How many redirects are followed.
const REDIRECTS: usize = 3;
/// From the resolving of the first name to the last byte of the file.
const LIMIT: Duration = Duration::from_secs(30);

/// What a server answered.
enum Got {
    File(Downloaded),
    Moved(String),
    Status(u16),
    TooLarge,
}

#[async_trait]
impl Download for GuardedEgress {
    async fn download(&self, url: &str, most: u64) -> Result<Downloaded, DownloadError> {
        timeout(LIMIT, self.follow(url, most)).await.unwrap_or(Err(DownloadError::Unreachable))
    }
}

impl GuardedEgress {
    async fn follow(&self, url: &str, most: u64) -> Result<Downloaded, DownloadError> {
        let mut next = url.to_owned();
        for _ in 0..=REDIRECTS {
            let Target { url } = Target::parse(&next, &self.allowed).map_err(|_| DownloadError::Address)?;
            let request = exchange::get(&url).map_err(error)?;
            match self.converse(&url, request, |response| read(response, most)).await.map_err(error)? {
                Got::File(file) => return Ok(file),
                Got::Moved(location) => next = url.join(&location).map_err(|_| DownloadError::Address)?.into(),
                Got::Status(code) => return Err(DownloadError::Status(code)),
                Got::TooLarge => return Err(DownloadError::TooLarge),
            }
        }
        Err(DownloadError::Address)
    }
}

fn error(failure: Failure) -> DownloadError {
    match failure {
        Failure::RefusedAddress => DownloadError::Address,
        Failure::Connect | Failure::Dns | Failure::Protocol | Failure::Timeout | Failure::Tls => {
            DownloadError::Unreachable
        }
    }
}

async fn read(response: Response<Incoming>, most: u64) -> hyper::Result<Got> {
    let code = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match (code, header(LOCATION)) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => return Ok(Got::Moved(location)),
        (200, _) => {}
        _ => return Ok(Got::Status(code)),
    }
    if header(CONTENT_LENGTH).and_then(|length| length.parse().ok()).is_some_and(|length: u64| length > most) {
        return Ok(Got::TooLarge);
    }
    let mime = header(CONTENT_TYPE);
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > most {
            return Ok(Got::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Got::File(Downloaded { bytes, mime }))
}

#[cfg(test)]
mod tests;
