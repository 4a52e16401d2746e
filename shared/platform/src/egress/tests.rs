//! The guard against servers on loopback addresses, and resolvers that answer what a test says.

use std::net::Ipv6Addr;
use std::sync::Mutex;

use hantar_domain::egress::Target;
use hantar_domain::webhook::{KEPT_ANSWER_BYTES, MAX_ANSWER_BYTES};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

/// Answers each name with the next of its answers, the last one again and again; counts how often it was asked.
struct Scripted {
    answers: Vec<io::Result<Vec<IpAddr>>>,
    asked: Mutex<usize>,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| Ok(answer.iter().map(|address| address.parse().unwrap()).collect());
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: Mutex::new(0) })
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

#[async_trait]
impl Resolver for Scripted {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut asked = self.asked.lock().unwrap();
        *asked += 1;
        match self.answers.get(*asked - 1).or(self.answers.last()) {
            Some(Ok(addresses)) => Ok(addresses.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn settings(allowed: &str) -> EgressSettings {
    EgressSettings { allowed: allowed.parse().unwrap(), timeout: LIMIT, ..EgressSettings::default() }
}

/// Loopback alone is allowed, and names are resolved by `resolver`.
fn resolving(resolver: Arc<Scripted>) -> GuardedEgress {
    GuardedEgress::new(EgressSettings { resolver, ..settings("127.0.0.0/8") }).unwrap()
}

fn local() -> GuardedEgress {
    GuardedEgress::new(settings("127.0.0.0/8")).unwrap()
}

/// A call that passes over what `Target::parse` checks, so that the guard is alone.
fn call(url: &str) -> Call {
    Call { target: Target { url: Url::parse(url).unwrap() }, headers: Vec::new(), body: b"{}".to_vec() }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Nobody has connected to `listener`.
fn untouched(listener: TcpListener) -> bool {
    let listener = listener.into_std().unwrap();
    listener.accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Reads a request with its body as far as the header `content-length` tells.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the request breaks off: {text}");
    }
}

/// Takes one connection, reads one request, writes `answer` and waits until the caller closes. Gives back the request.
async fn serve_once(answer: &'static str) -> (u16, JoinHandle<String>) {
    let (listener, port) = listen().await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        until_closed(stream).await;
        request
    });
    (port, served)
}

/// Comes back when the other side has closed `stream`.
async fn until_closed(mut stream: TcpStream) {
    let mut rest = [0; 64];
    timeout(LIMIT, async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} }).await.unwrap();
}

fn status(code: u16) -> Answer {
    Answer::Status { code, retry_after: None }
}

#[tokio::test]
async fn a_call_is_one_post_with_our_headers_and_its_own() {
    let (port, served) = serve_once("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine").await;
    let mut call = call(&format!("http://127.0.0.1:{port}/hook?a=b#fragment"));
    call.headers =
        vec![("webhook-id", "msg_1".into()), ("host", "elsewhere".into()), ("content-type", "text/x".into())];
    let answered = local().post(call).await;
    assert_eq!((answered.answer, answered.excerpt.as_str()), (status(200), "fine"));
    assert!(answered.took < LIMIT);
    let request = served.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /hook?a=b HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{port}");
    let version = concat!("user-agent: Hantar/", env!("CARGO_PKG_VERSION"));
    let own = "content-type: text/x";
    assert_eq!(lines, ["connection: close", "content-length: 2", own, &host, version, "webhook-id: msg_1"]);
    assert_eq!(body, "{}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (elsewhere, elsewhere_port) = listen().await;
    let location =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{elsewhere_port}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _served) = serve_once(location.leak()).await;
    assert_eq!(local().post(call(&format!("http://127.0.0.1:{port}/"))).await.answer, status(302));
    assert!(untouched(elsewhere));
}

#[tokio::test]
async fn retry_after_is_passed_on() {
    let (port, _served) = serve_once("HTTP/1.1 429 Slow\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
    let answered = local().post(call(&format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!(answered.answer, Answer::Status { code: 429, retry_after: Some(Duration::from_secs(90)) });
}

#[tokio::test]
async fn of_an_endless_answer_a_bounded_part_is_read() {
    let (listener, port) = listen().await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut written = 0;
        while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {
            written += 16 * 1024;
        }
        written
    });
    let answered = local().post(call(&format!("http://127.0.0.1:{port}/"))).await;
    assert_eq!((answered.answer, answered.excerpt), (status(200), "x".repeat(KEPT_ANSWER_BYTES)));
    // The server can write until the caller closes: what was read, and what the sockets buffer between them.
    assert!(timeout(LIMIT, served).await.unwrap().unwrap() >= MAX_ANSWER_BYTES);
}

#[tokio::test]
async fn an_answer_that_does_not_come_to_its_end_is_a_timeout_and_the_connection_is_closed() {
    // Long enough for the request to arrive, also on a busy machine.
    let patience = Duration::from_secs(1);
    let post = |answer| async move {
        let (port, served) = serve_once(answer).await;
        let egress = GuardedEgress { timeout: patience, ..local() };
        let answered = egress.post(call(&format!("http://127.0.0.1:{port}/"))).await;
        assert_eq!(answered.answer, Answer::Failure("timeout"), "{answer:?}");
        assert!(answered.took >= patience);
        served.await.unwrap();
    };
    let slow_body = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nslow";
    tokio::join!(post(""), post("HTTP/1.1 200 OK\r\n"), post(slow_body));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_never_resolved_is_a_timeout_after_the_customary_time() {
    struct Never;
    #[async_trait]
    impl Resolver for Never {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }
    let egress = GuardedEgress::new(EgressSettings { resolver: Arc::new(Never), ..EgressSettings::default() }).unwrap();
    let answer = timeout(CALL_TIMEOUT + Duration::from_secs(1), egress.post(call("https://hook.example.com/"))).await;
    assert_eq!(answer.unwrap().answer, Answer::Failure("timeout"));
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_of_the_protocol() {
    for answer in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut", ""] {
        let (listener, port) = listen().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let answered = local().post(call(&format!("http://127.0.0.1:{port}/"))).await;
        assert_eq!(answered.answer, Answer::Failure("protocol"), "{answer:?}");
    }
    let mut unsayable = call("http://127.0.0.1:1/");
    unsayable.headers = vec![("webhook-id", "two\r\nlines".into())];
    assert_eq!(local().post(unsayable).await.answer, Answer::Failure("protocol"));
}

#[tokio::test]
async fn addresses_in_a_url_are_refused_when_they_are_not_public() {
    let (listener, port) = listen().await;
    let strict = GuardedEgress::new(settings("")).unwrap();
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "localhost",
        "a.localhost.",
    ] {
        for scheme in ["http", "https"] {
            let answered = strict.post(call(&format!("{scheme}://{host}:{port}/"))).await;
            assert_eq!(answered.answer, Answer::Failure("refused_address"), "{scheme} {host}");
        }
    }
    assert!(untouched(listener));
}

#[tokio::test]
async fn a_name_is_refused_when_any_of_its_addresses_is_not_public() {
    let (listener, port) = listen().await;
    for addresses in [
        &["127.0.0.1"][..],
        &["::ffff:127.0.0.1"],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "1.1.1.1"],
        &["2606:4700::1111", "1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "fd00::1"],
    ] {
        let resolver = Scripted::new(&[addresses]);
        let egress = GuardedEgress::new(EgressSettings { resolver, ..settings("") }).unwrap();
        let answered = egress.post(call(&format!("https://hook.example.com:{port}/"))).await;
        assert_eq!(answered.answer, Answer::Failure("refused_address"), "{addresses:?}");
    }
    assert!(untouched(listener));
}

#[tokio::test]
async fn a_public_address_is_not_called_by_plain_http() {
    let resolver = Scripted::new(&[&["1.1.1.1"]]);
    assert_eq!(
        resolving(resolver).post(call("http://hook.example.com/")).await.answer,
        Answer::Failure("refused_address")
    );
}

#[tokio::test]
async fn the_connection_goes_to_the_addresses_that_were_checked() {
    let (port, served) = serve_once("HTTP/1.1 204 No Content\r\n\r\n").await;
    let resolver = Scripted::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let egress = resolving(resolver.clone());
    let url = format!("http://hook.example.com:{port}/");
    assert_eq!(egress.post(call(&url)).await.answer, status(204));
    assert_eq!(resolver.asked(), 1, "a second look-up could answer otherwise");
    assert!(served.await.unwrap().contains(&format!("host: hook.example.com:{port}\r\n")));
    assert_eq!(egress.post(call(&url)).await.answer, Answer::Failure("refused_address"));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_connect() {
    let (port, _served) = serve_once("HTTP/1.1 204 No Content\r\n\r\n").await;
    let egress = resolving(Scripted::new(&[&["127.0.0.2", "127.0.0.3", "127.0.0.1"]]));
    assert_eq!(egress.post(call(&format!("http://hook.example.com:{port}/"))).await.answer, status(204));
}

#[tokio::test]
async fn a_closed_port_and_a_name_without_addresses_have_codes_of_their_own() {
    let (listener, port) = listen().await;
    drop(listener);
    assert_eq!(local().post(call(&format!("http://127.0.0.1:{port}/"))).await.answer, Answer::Failure("connect"));
    let unknown = Arc::new(Scripted { answers: vec![Err(io::ErrorKind::NotFound.into())], asked: Mutex::default() });
    for resolver in [Scripted::new(&[&[]]), unknown] {
        let answered = resolving(resolver).post(call("https://hook.example.com/")).await;
        assert_eq!(answered.answer, Answer::Failure("dns"));
    }
}

#[tokio::test]
async fn the_machines_resolver_knows_the_loopback() {
    let found = SystemResolver.resolve("localhost").await.unwrap();
    assert!(!found.is_empty());
    assert!(
        found.iter().all(|address| [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].contains(address))
    );
}

/// A server with a certificate for `hook.example.com` of its own making, and that certificate in PEM.
async fn serve_tls() -> (u16, String, JoinHandle<Option<String>>) {
    let made = rcgen::generate_simple_self_signed(["hook.example.com".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (listener, port) = listen().await;
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.ok()?;
        let request = read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        Some(request)
    });
    (port, made.cert.pem(), served)
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_name_the_host() {
    let resolver = Scripted::new(&[&["127.0.0.1"]]);
    let (port, pem, served) = serve_tls().await;
    let trusting = EgressSettings { extra_roots_pem: pem, resolver: resolver.clone(), ..settings("127.0.0.1/32") };
    let egress = GuardedEgress::new(trusting).unwrap();
    assert_eq!(egress.post(call(&format!("https://hook.example.com:{port}/"))).await.answer, status(200));
    assert!(served.await.unwrap().unwrap().starts_with("POST / HTTP/1.1\r\n"));

    let (port, _, served) = serve_tls().await;
    let untrusted = egress.post(call(&format!("https://hook.example.com:{port}/"))).await;
    assert_eq!((untrusted.answer, served.await.unwrap()), (Answer::Failure("tls"), None));

    let (port, pem, served) = serve_tls().await;
    let trusting = EgressSettings { extra_roots_pem: pem, resolver, ..settings("127.0.0.1/32") };
    let egress = GuardedEgress::new(trusting).unwrap();
    let misnamed = egress.post(call(&format!("https://other.example.com:{port}/"))).await;
    assert_eq!((misnamed.answer, served.await.unwrap()), (Answer::Failure("tls"), None));
}

#[test]
fn extra_roots_that_are_no_certificates_are_refused() {
    for pem in ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = GuardedEgress::new(EgressSettings { extra_roots_pem: pem.into(), ..settings("") });
        assert!(matches!(refused, Err(EgressError::Roots(_))), "{pem}");
    }
}
