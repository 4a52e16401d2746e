//! The library's road to media hosts. There is none yet: nothing in this host moves media, and the library's own client
//! would block a thread per call.

use async_trait::async_trait;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::anyhow;

/// Refuses every call.
pub(crate) struct NoMedia;

#[async_trait]
impl HttpClient for NoMedia {
    async fn execute(&self, _request: HttpRequest) -> Result<HttpResponse, anyhow::Error> {
        Err(anyhow::anyhow!("this host moves no media yet"))
    }
}
