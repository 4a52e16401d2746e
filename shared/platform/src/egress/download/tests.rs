use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::egress::EgressSettings;

const MOST: u64 = 8;

fn local() -> GuardedEgress {
    let allowed = "127.0.0.0/8".parse().unwrap();
    GuardedEgress::new(EgressSettings { allowed, ..EgressSettings::default() }).unwrap()
}

/// Gives each caller the next answer, whatever it asks; answers the heads of all requests.
async fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            heads.push(super::super::tests::read_request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        heads
    });
    (url, served)
}

async fn download(answer: &str) -> Result<Downloaded, DownloadError> {
    let (url, _served) = serve(vec![answer.to_owned()]).await;
    local().download(&format!("{url}/menu.png"), MOST).await
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_file_comes_whole_and_with_its_type() {
    let file =
        download("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 8\r\n\r\n12345678").await.unwrap();
    assert_eq!((file.bytes.as_slice(), file.mime.as_deref()), (&b"12345678"[..], Some("image/png")));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(download(chunked).await.unwrap(), Downloaded { bytes: b"abcde".to_vec(), mime: None });
}

#[tokio::test]
async fn what_is_not_a_whole_file_of_the_size_is_none() {
    for (answer, expected) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 1\r\n\r\nx", DownloadError::Status(404)),
        ("HTTP/1.1 206 Partial Content\r\ncontent-length: 1\r\n\r\nx", DownloadError::Status(206)),
        ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", DownloadError::Status(302)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", DownloadError::TooLarge),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n", DownloadError::TooLarge),
        ("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n123", DownloadError::Unreachable),
        ("nonsense\r\n\r\n", DownloadError::Unreachable),
    ] {
        assert_eq!(download(answer).await.unwrap_err(), expected, "{answer}");
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_nowhere_that_may_not_be_called() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx".to_owned();
    let steps = vec![moved("/a"), moved("b?c=d"), moved("/e"), whole.clone()];
    let (url, served) = serve(steps).await;
    assert_eq!(local().download(&url, MOST).await.unwrap().bytes, b"x");
    let asked: Vec<_> = served.await.unwrap().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["GET / HTTP/1.1", "GET /a HTTP/1.1", "GET /b?c=d HTTP/1.1", "GET /e HTTP/1.1"]);

    let (url, _served) = serve(vec![moved("/a"), moved("/b"), moved("/c"), moved("/d"), whole]).await;
    assert_eq!(local().download(&url, MOST).await.unwrap_err(), DownloadError::Address);
    for inside in ["https://10.0.0.1/", "http://example.com/", "https://user@example.com/", "file:///etc/passwd"] {
        let (url, _served) = serve(vec![moved(inside)]).await;
        assert_eq!(local().download(&url, MOST).await.unwrap_err(), DownloadError::Address, "{inside}");
    }
    assert_eq!(local().download("https://169.254.169.254/", MOST).await.unwrap_err(), DownloadError::Address);
}
