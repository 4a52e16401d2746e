//! A server of files, as a customer has one: what messages carry is fetched from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;

use crate::http_server::HttpServer;

/// What is at a path.
#[derive(Clone, Debug)]
pub enum Served {
    /// A file of this type.
    File(&'static str, Bytes),
    /// Nothing but this status.
    Status(u16),
    /// Another address.
    Moved(String),
}

/// Serves files until it is dropped.
#[derive(Debug)]
pub struct FileServer {
    server: HttpServer,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl FileServer {
    /// Serves these by their paths, and 404 for all else.
    pub async fn start(files: BTreeMap<&'static str, Served>) -> Self {
        let (files, asked) = (Arc::new(files), Arc::new(Mutex::new(BTreeMap::new())));
        let counted = Arc::clone(&asked);
        let server = HttpServer::start(move |request: Request<Bytes>| {
            let path = request.uri().path().to_owned();
            let served = files.get(path.as_str()).cloned().unwrap_or(Served::Status(404));
            *counted.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default() += 1;
            async move {
                let answer = Response::builder();
                let answer = match served {
                    Served::File(mime, bytes) => answer.header("content-type", mime).body(Full::new(bytes)),
                    Served::Status(code) => answer.status(code).body(Full::default()),
                    Served::Moved(to) => answer.status(302).header("location", to).body(Full::default()),
                };
                Ok(answer.unwrap_or_default())
            }
        });
        Self { server: server.await, asked }
    }

    /// The address of what is at `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// How often somebody asked for what is at `path`.
    pub fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied().unwrap_or_default()
    }
}
