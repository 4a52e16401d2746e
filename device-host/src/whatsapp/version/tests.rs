use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::whatsapp::store::test_tables::Tables;
use crate::whatsapp::tls;

const NEW: &str = r#"self.x={"client_revision":1055555555,"other":7};"#;
const NEWEST: &str = r#"self.x={"client_revision":1066666666,"other":7};"#;

#[test]
fn the_revision_is_found_where_there_is_one() {
    for (page, expected) in [
        (NEW, Some((2, 3000, 1_055_555_555))),
        ("client_revision:1055555555;", Some((2, 3000, 1_055_555_555))),
        (r#"{\"client_revision\":1055555555,"#, Some((2, 3000, 1_055_555_555))),
        (r#""client_revision" : "1055555555""#, Some((2, 3000, 1_055_555_555))),
        // Not the revision, but what stands further on; and the library's guess without a revision.
        (r#""client_revision":null,"x":17"#, None),
        (r#""client_revision":99999999999999999999"#, None),
        ("assets-manifest-1234.json", None),
        ("<html>please update your browser</html>", None),
        ("", None),
    ] {
        assert_eq!(version_in(page), expected, "{page}");
    }
}

/// A web server with one page, and how often it was asked for.
struct Page {
    url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<std::sync::Mutex<String>>,
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

impl Page {
    async fn with(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws/chat", listener.local_addr().unwrap());
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Mutex::new(answer)));
        let (counter, given) = (Arc::clone(&asked), Arc::clone(&answer));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                assert!(request.starts_with("GET /sw.js HTTP/1.1\r\n"), "{request}");
                assert!(request.contains("\r\nhost: 127.0.0.1:"), "{request}");
                counter.fetch_add(1, Ordering::AcqRel);
                let answer = given.lock().unwrap().clone();
                // A page that is too large is not read to its end.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, asked, answer }
    }

    fn server(&self) -> Server {
        Server::new(&self.url, tls::client_config(None).unwrap()).unwrap()
    }

    fn versions(&self, tables: &Tables) -> Versions {
        Versions::new(None, self.server(), Arc::clone(&tables.fleet), Arc::clone(&tables.clock))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }

    fn says(&self, body: &str) {
        *self.answer.lock().unwrap() = ok(body);
    }
}

#[tokio::test]
async fn one_look_serves_all_hosts_and_all_their_devices() {
    let (page, tables) = (Page::with(ok(NEW)).await, Tables::new().await);
    let first = page.versions(&tables);
    for _ in 0..5 {
        assert_eq!(first.current().await, (2, 3000, 1_055_555_555));
    }
    page.says(NEWEST);
    let second = page.versions(&tables.elsewhere());
    assert_eq!(second.current().await, (2, 3000, 1_055_555_555), "what the first one found");
    assert_eq!(page.asked(), 1);
}

#[tokio::test]
async fn a_configured_version_wins_and_nobody_looks() {
    let (page, tables) = (Page::with(ok(NEW)).await, Tables::new().await);
    let versions = Versions { configured: Some((2, 3000, 1)), ..page.versions(&tables) };
    assert_eq!(versions.current().await, (2, 3000, 1));
    assert!(!versions.is_superseded((2, 3000, 1)).await);
    assert_eq!(page.asked(), 0);
}

#[tokio::test]
async fn where_the_page_tells_nothing_the_pinned_version_is_said_and_nobody_asks_again_soon() {
    let large = format!("{}{}", "x".repeat(5 << 20), NEW);
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbroken off".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        ok("<html>no</html>"),
        ok(&large),
    ] {
        let (page, tables) = (Page::with(answer.clone()).await, Tables::new().await);
        let versions = page.versions(&tables);
        assert_eq!(versions.current().await, PINNED, "{answer:.60}");
        assert_eq!(versions.current().await, PINNED);
        assert_eq!(page.versions(&tables).current().await, PINNED);
        assert_eq!(page.asked(), 1, "{answer:.60}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_leaves_the_pinned_version() {
    let tables = Tables::new().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = Server::new(&format!("ws://{gone}/ws/chat"), tls::client_config(None).unwrap()).unwrap();
    let versions = Versions::new(None, server, Arc::clone(&tables.fleet), Arc::clone(&tables.clock));
    assert_eq!(versions.current().await, PINNED);
}

#[tokio::test]
async fn a_refused_version_is_looked_up_at_once_and_all_hosts_follow() {
    let (page, tables) = (Page::with(ok(NEW)).await, Tables::new().await);
    let (first, second) = (page.versions(&tables), page.versions(&tables.elsewhere()));
    let found = FoundVersion { version: (2, 3000, 1_050_000_000), found_at: tables.clock.now() };
    tables.fleet.keep_client_version(&found).await.unwrap();
    assert_eq!((first.current().await, second.current().await), (found.version, found.version));
    assert_eq!(page.asked(), 0, "what was found today is good");
    assert!(first.is_superseded(found.version).await);
    assert!(second.is_superseded(found.version).await, "by what the first one found");
    assert_eq!((first.current().await, second.current().await), ((2, 3000, 1_055_555_555), (2, 3000, 1_055_555_555)));
    assert_eq!(page.asked(), 1);
    assert!(!first.is_superseded((2, 3000, 1_055_555_555)).await, "WhatsApp says no other");
    assert_eq!(page.asked(), 1, "and is not asked in a hurry");
}
