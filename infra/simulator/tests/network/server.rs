//! The server as clients find it: plain and under TLS, known by its keys, and the ways it ends connections.

use std::sync::Arc;
use std::time::Duration;

use hantar_simulator::{
    Fault, FaultKind, ServerKeys, Simulator, SimulatorConfig, StanzaDirection, StanzaFilter, TlsCertificate,
};
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wacore::store::InMemoryBackend;
use whatsapp_rust::transport::{Connector, TokioWebSocketTransportFactory};
use whatsapp_rust::types::events::Event;

use crate::light::request;
use crate::support::{PATIENCE, admin, light, linked, simulator, start, start_over, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

fn config() -> SimulatorConfig {
    SimulatorConfig { listen: "127.0.0.1:0".parse().unwrap(), seed: 7, state_file: None }
}

/// TLS that trusts this certificate and nothing else.
fn trusting(certificate_pem: &str) -> TlsConnector {
    let certificate = rustls_pki_types::CertificateDer::from_pem_slice(certificate_pem.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_port_speaks_with_and_without_tls() {
    let simulator = simulator().await;
    simulator.network().create_phone(ANN, "Ann").unwrap();
    let connector = Connector::Rustls(trusting(simulator.tls_certificate()));
    let transport = TokioWebSocketTransportFactory::new().with_url(simulator.secure_websocket_url());
    let secure =
        start_over(transport.with_connector(connector), &simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    secure.ready().await;
    let plain = linked(&simulator, BEN).await;
    let id = secure.send(BEN, "hello").await;
    assert_eq!(plain.texts(1).await, [(id, "hello".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_trusts_somebody_else_does_not_get_in_under_tls() {
    let simulator = simulator().await;
    let other = Simulator::start(config()).await.unwrap();
    let stream = TcpStream::connect(simulator.address()).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    assert!(within(trusting(other.tls_certificate()).connect(name, stream)).await.is_err());
}

#[tokio::test]
async fn a_given_certificate_is_shown_and_read_over_http_too() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (chain_pem, key_pem) = (made.cert.pem(), made.signing_key.serialize_pem());
    let keys = ServerKeys { tls: Some(TlsCertificate { chain_pem: chain_pem.clone(), key_pem }), root: None };
    let simulator = Simulator::start_with_keys(config(), keys).await.unwrap();
    let (_, root) = admin(&simulator, "GET", "/admin/root", "").await;
    assert_eq!(root["tls_certificate"], json!(chain_pem));

    let stream = TcpStream::connect(simulator.address()).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut secure = trusting(&chain_pem).connect(name, stream).await.unwrap();
    secure.write_all(b"GET /healthz HTTP/1.1\r\nhost: simulator\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The server may close without TLS's own goodbye.
    let _ = within(secure.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_stops_the_start() {
    let tls = TlsCertificate { chain_pem: "nothing".into(), key_pem: "nothing".into() };
    let started = Simulator::start_with_keys(config(), ServerKeys { tls: Some(tls), root: None }).await;
    assert!(started.err().unwrap().to_string().contains("TLS certificate"));
}

#[tokio::test]
async fn the_root_key_is_public_and_can_be_given() {
    let mut rng = rand::make_rng::<rand::rngs::StdRng>();
    let root = wacore_libsignal::protocol::KeyPair::generate(&mut rng);
    let keys = ServerKeys { tls: None, root: Some(*root.private_key.serialize()) };
    let simulator = Simulator::start_with_keys(config(), keys).await.unwrap();
    let (_, answer) = admin(&simulator, "GET", "/admin/root", "").await;
    assert_eq!(answer["public_key"], json!(hex::encode(root.public_key.public_key_bytes())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_given_root_signs_for_a_restored_network_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = SimulatorConfig { state_file: Some(folder.path().join("network.json")), ..config() };
    let simulator = Simulator::start(config.clone()).await.unwrap();
    let ann = linked(&simulator, ANN).await;
    ann.client.disconnect().await;
    simulator.shutdown().await;

    let root = wacore_libsignal::protocol::KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
    let keys = ServerKeys { tls: None, root: Some(*root.private_key.serialize()) };
    let simulator = Simulator::start_with_keys(config, keys).await.unwrap();
    assert_eq!(simulator.network().root_public_key(), root.public_key.public_key_bytes());
    // The server's own key is the same, so the shorter handshake goes on.
    start(&simulator, Arc::clone(&ann.backend), ANN).await.ready().await;
    assert_eq!(simulator.network().counts()["handshakes_ik"], 1);
}

#[tokio::test]
async fn a_simulator_that_was_shut_down_listens_no_more() {
    let simulator = simulator().await;
    let address = simulator.address();
    // A client that says nothing does not hold it up.
    let _silent = TcpStream::connect(address).await.unwrap();
    within(simulator.shutdown()).await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_comes_back_by_the_edge_it_was_shown() {
    let simulator = simulator().await;
    let ann = linked(&simulator, ANN).await;
    assert_eq!(simulator.network().counts()["edge_routed"], 0);
    let told = StanzaFilter {
        tag: Some("ib".into()),
        direction: Some(StanzaDirection::Out),
        phone: Some(ANN.into()),
        ..StanzaFilter::default()
    };
    assert!(simulator.network().stanzas(&told).iter().any(|ib| ib.xml.contains("<routing_info>")));
    ann.client.disconnect().await;
    start(&simulator, Arc::clone(&ann.backend), ANN).await.ready().await;
    assert_eq!(simulator.network().counts()["edge_routed"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stream_error_reaches_the_client_as_what_it_is() {
    let simulator = simulator().await;
    for (code, is_it) in [
        (401, (|event| matches!(event, Event::LoggedOut(_))) as fn(&Event) -> bool),
        (409, |event| matches!(event, Event::StreamReplaced(_))),
        (515, |event| matches!(event, Event::Connected(_))),
        (500, |event| matches!(event, Event::StreamError(error) if error.code == "500")),
        (403, |event| matches!(event, Event::StreamError(error) if error.code == "403")),
        (405, |event| matches!(event, Event::StreamError(error) if error.code == "405")),
    ] {
        let phone = format!("6012000{code:04}");
        let companion = linked(&simulator, &phone).await;
        companion.event("Connected", |event| matches!(event, Event::Connected(_)).then_some(())).await;
        let body = json!({ "phone": phone, "code": code }).to_string();
        assert_eq!(admin(&simulator, "POST", "/admin/stream-error", &body).await.1, json!({ "ended": 1 }));
        companion.event("stream error", |event| is_it(event).then_some(())).await;
    }
    let refused = json!({ "phone": ANN, "code": 200 }).to_string();
    assert_eq!(admin(&simulator, "POST", "/admin/stream-error", &refused).await.1["field"], "code");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_failure_reaches_the_client_as_what_it_is() {
    let simulator = simulator().await;
    for (reason, is_it) in [
        (401, (|event| matches!(event, Event::LoggedOut(_))) as fn(&Event) -> bool),
        (403, |event| matches!(event, Event::LoggedOut(_))),
        (405, |event| matches!(event, Event::ClientOutdated(_))),
    ] {
        let phone = format!("6012000{reason:04}");
        let companion = linked(&simulator, &phone).await;
        companion.client.disconnect().await;
        let failure = FaultKind::LoginFailure { reason };
        simulator.network().add_fault(Fault { from: Some(phone.clone()), ..Fault::new(failure) }).unwrap();
        let back = start(&simulator, Arc::clone(&companion.backend), &phone).await;
        back.event("failure", |event| is_it(event).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_banned_account_is_cut_and_told_for_how_long() {
    let simulator = simulator().await;
    let network = simulator.network();
    let ann = linked(&simulator, ANN).await;
    let ban = Fault { from: Some(ANN.into()), for_seconds: Some(3_600), ..Fault::new(FaultKind::Ban { code: 101 }) };
    network.add_fault(ban).unwrap();
    let (code, seconds) = ann
        .event("TemporaryBan", |event| match event {
            Event::TemporaryBan(ban) => Some((ban.code.clone(), ban.expire.num_seconds())),
            _ => None,
        })
        .await;
    assert!(format!("{code:?}").contains("SentToTooManyPeople") && (3_500..=3_600).contains(&seconds), "{code:?}");
    assert_eq!(network.counts()["log_ins_refused"], 1);
    network.change_time(hantar_simulator::TimeChange { advance_ms: Some(3_600_000), ..Default::default() }).unwrap();
    start(&simulator, Arc::clone(&ann.backend), ANN).await.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_gives_no_sign_of_life_is_cut_and_one_that_does_is_not() {
    let simulator = simulator().await;
    let (silent, lively) = (light(&simulator, ANN).await, light(&simulator, BEN).await);
    let mut silent = silent.come_online(simulator.address()).await.unwrap();
    let mut lively = lively.come_online(simulator.address()).await.unwrap();
    let (status, limits) = admin(&simulator, "POST", "/admin/limits", r#"{"idle_ms":700}"#).await;
    assert_eq!((status, &limits), (200, &json!({ "idle_ms": 700 })));
    assert_eq!(admin(&simulator, "POST", "/admin/limits", r#"{"idle_ms":1}"#).await.1["field"], "idle_ms");
    // A wait that began before the change still has the old limit: each says something once.
    let keepalive = request("w:p", "get", "1", None);
    silent.send(&keepalive).await.unwrap();
    silent.receive().await.unwrap();
    let ended = async {
        loop {
            tokio::select! {
                ended = silent.receive() => return ended,
                answer = async {
                    lively.send(&keepalive).await?;
                    let answer = lively.receive().await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok::<_, whatsapp_rust::anyhow::Error>(answer)
                } => assert_eq!(answer.unwrap().tag, "iq"),
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ended).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keepalive_is_answered_unless_a_rule_says_otherwise() {
    let simulator = simulator().await;
    let mut ann = light(&simulator, ANN).await.come_online(simulator.address()).await.unwrap();
    let network = simulator.network();
    let rule = network.add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::NoKeepalive) }).unwrap();
    ann.send(&request("w:p", "get", "unheard", None)).await.unwrap();
    ann.send(&request("w:p", "get", "heard", None)).await.unwrap();
    let answer = within(ann.receive()).await.unwrap();
    assert_eq!(answer.attrs.get("id").unwrap().as_str(), "heard");
    assert!(!network.remove_fault(rule), "it was spent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_for_people_and_for_prometheus() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let id = ann.send(BEN, "hello").await;
    ann.ack(&id).await;
    let (_, answer) = admin(&simulator, "GET", "/admin/counts", "").await;
    let counts = &answer["counts"];
    for (name, count) in
        [("devices_paired", 1), ("log_ins", 1), ("messages_taken", 1), ("devices_connected", 1), ("accounts", 2)]
    {
        assert_eq!(counts[name], json!(count), "{name}: {counts}");
    }
    let (status, text) = crate::support::http(&simulator, "GET", "/metrics", "text/plain", "").await;
    assert_eq!(status, 200);
    for line in ["simulator_messages_taken_total 1", "simulator_devices_connected 1", "# TYPE simulator_accounts gauge"]
    {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.contains(r#"simulator_stanzas_total{direction="in",tag="message"} 1"#), "{text}");
}
