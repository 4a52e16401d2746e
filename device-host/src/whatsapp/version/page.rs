//! Fetching the script that holds the version: one guarded GET.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};

use crate::whatsapp::http::{CallError, call};
use crate::whatsapp::transport::Server;

/// The script of WhatsApp's service worker.
const PATH: &str = "/sw.js";
/// From the look-up of the name to the last byte.
const LIMIT: Duration = Duration::from_secs(5);
/// The script has some hundred KiB.
const MOST_BYTES: usize = 4 << 20;
/// The page is not given to clients without one.
const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

/// Why the page was not had: try again later.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the server answered {0}")]
    Status(StatusCode),
}

/// The script, from the server that the sockets go to.
pub(super) async fn fetch(server: &Server) -> Result<String, PageError> {
    let request = Request::get(PATH)
        .header(header::HOST, server.authority())
        .header(header::USER_AGENT, BROWSER)
        .header("sec-fetch-site", "none")
        .body(Full::<Bytes>::default())
        .map_err(CallError::from)?;
    let tls = server.is_tls().then(|| server.tls());
    let (status, page) = call((server.host(), server.port()), tls, request, MOST_BYTES, LIMIT).await?;
    if status != StatusCode::OK {
        return Err(PageError::Status(status));
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
