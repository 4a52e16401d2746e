//! Linking where the account wants its owner's passkey: by a whole client, and step by step.

use std::sync::Arc;

use hantar_simulator::{Network, PasskeyView, Simulator};
use serde_json::{Value, json};
use wacore::shortcake::ShortcakeUtils;
use wacore::store::InMemoryBackend;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp::device_props::PlatformType;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::passkey::Assertion;
use whatsapp_rust::types::events::Event;

use crate::light::{Newcomer, bytes_of, request};
use crate::support::{Companion, PATIENCE, admin, simulator, start, start_unscanned, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

async fn guarded() -> Simulator {
    let simulator = simulator().await;
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben")] {
        simulator.network().create_phone(phone, name).unwrap();
        simulator.network().require_passkey(phone, true).unwrap();
    }
    simulator
}

/// What the person's authenticator answers, as the client hands it on.
fn signed(network: &Network, phone: &str, options: &str) -> Assertion {
    let assertion = network.sign_with_passkey(phone, &serde_json::from_str(options).unwrap()).unwrap();
    let encoded = assertion["rawId"].as_str().unwrap();
    let decoded = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, encoded).unwrap();
    Assertion { assertion_json: assertion.to_string().into_bytes(), credential_id: decoded }
}

async fn asked(companion: &Companion) -> String {
    let options = |event: &Event| match event {
        Event::PairPasskeyRequest(request) => Some(request.request_options_json.clone()),
        _ => None,
    };
    // Keys are derived from a pairing code slowly, on purpose, and not optimised here.
    companion.event_within(PATIENCE * 2, options).await.expect("a request for a passkey")
}

async fn code(companion: &Companion) -> (String, bool) {
    let code = |event: &Event| match event {
        Event::PairPasskeyConfirmation(shown) => Some((shown.code.clone(), shown.skip_handoff_ux)),
        _ => None,
    };
    companion.event("code", code).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_is_linked_once_the_passkey_answered_and_the_codes_are_the_same() {
    let simulator = guarded().await;
    let network = simulator.network();
    let ann = start(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    let options = asked(&ann).await;
    assert!(network.phone(ANN).unwrap().devices.is_empty());
    assert_eq!(network.passkey(ANN).unwrap(), PasskeyView { required: true, ..PasskeyView::default() });

    ann.client.send_passkey_response(signed(network, ANN, &options)).await.unwrap();
    let shown = code(&ann).await;
    let on_the_phone = network.passkey(ANN).unwrap();
    assert_eq!((Some(shown.0), shown.1, on_the_phone.recognised), (on_the_phone.code, false, false));
    assert!(network.phone(ANN).unwrap().devices.is_empty());

    ann.client.send_passkey_confirmation().await.unwrap();
    ann.ready().await;
    assert_eq!(network.phone(ANN).unwrap().devices.len(), 1);
    assert_eq!(network.passkey(ANN).unwrap().code, None);
    let id = ann.send(BEN, "it is me").await;
    assert_eq!(ann.ack(&id).await.error, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_shows_a_code_is_asked_for_the_passkey_too() {
    let simulator = guarded().await;
    let network = simulator.network();
    let ann = start_unscanned(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    ann.event("QR code", |event| matches!(event, Event::PairingQrCode(_)).then_some(())).await;
    let options = PairCodeOptions { phone_number: ANN.to_owned(), ..PairCodeOptions::default() };
    let typed = ann.client.pair_with_code(options).await.unwrap();
    network.enter_pair_code(ANN, &typed).unwrap();
    let options = asked(&ann).await;
    ann.client.send_passkey_response(signed(network, ANN, &options)).await.unwrap();
    code(&ann).await;
    ann.client.send_passkey_confirmation().await.unwrap();
    ann.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_of_another_passkey_or_to_another_challenge_links_nobody() {
    let simulator = guarded().await;
    let network = simulator.network();
    let ann = start(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    let options = asked(&ann).await;
    assert!(network.sign_with_passkey(BEN, &serde_json::from_str(&options).unwrap()).is_err());

    let mut other: Value = serde_json::from_str(&options).unwrap();
    other["challenge"] = "YW5vdGhlcg".into();
    let refused = ann.client.send_passkey_response(signed(network, ANN, &other.to_string())).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    let mut others: Value = serde_json::from_str(&options).unwrap();
    others["allowCredentials"] = json!([]);
    let bens = signed(network, BEN, &others.to_string());
    assert!(ann.client.send_passkey_response(bens).await.is_err());
    assert!(network.phone(ANN).unwrap().devices.is_empty());
    // The client was only wrong: the right answer is still taken.
    ann.client.send_passkey_response(signed(network, ANN, &options)).await.unwrap();
    code(&ann).await;
}

/// One linking, step by step.
struct Attempt {
    newcomer: Newcomer,
    ephemeral: wacore_libsignal::protocol::KeyPair,
    nonce: [u8; 32],
    reference: String,
}

impl Attempt {
    /// Shows its QR code, is asked for the passkey, and commits itself.
    async fn begin(simulator: &Simulator, earlier_secret: Option<[u8; 32]>) -> Self {
        let network = simulator.network();
        let (mut newcomer, qr) = within(Newcomer::begin(simulator.address(), Some("Ann"))).await.unwrap();
        network.scan_qr(&qr, Some(ANN)).unwrap();
        let light = &mut newcomer.light;
        let wanted = |node: &Node| node.get_optional_child("passkey_request_options").is_some();
        let told = within(light.until(wanted)).await.unwrap();
        light.send(&ask("get", "again", NodeBuilder::new("passkey_request_options").build())).await.unwrap();
        let again = within(light.until(wanted)).await.unwrap();
        let options = |node: &Node| bytes_of(node.get_optional_child("passkey_request_options").unwrap());
        assert_eq!(options(&told), options(&again));
        light.send(&ask("get", "ref", NodeBuilder::new("ref").build())).await.unwrap();
        let reference = within(light.until(|node| node.get_optional_child("ref").is_some())).await.unwrap();
        let reference = String::from_utf8(bytes_of(reference.get_optional_child("ref").unwrap())).unwrap();

        let assertion = signed(network, ANN, &String::from_utf8(options(&told)).unwrap());
        let (ephemeral, nonce) =
            (ShortcakeUtils::generate_companion_ephemeral_keypair(), ShortcakeUtils::generate_companion_nonce());
        let public = ephemeral.public_key.public_key_bytes().try_into().unwrap();
        let identity = ShortcakeUtils::build_companion_ephemeral_identity(&public, PlatformType::CHROME, &reference);
        let payload =
            ShortcakeUtils::build_prologue_payload(&identity, &ShortcakeUtils::commitment_hash(&identity, &nonce));
        let part = |name: &'static str, bytes: Vec<u8>| NodeBuilder::new(name).bytes(bytes).build();
        let proof = earlier_secret.map(|secret| {
            let key = ShortcakeUtils::derive_pairing_handoff_hmac_key(&secret).unwrap();
            let proof = ShortcakeUtils::compute_pairing_handoff_proof(&key, &payload);
            part("pairing_handoff_proof", proof.to_vec())
        });
        let parts = [
            part("credential_id", assertion.credential_id),
            part("webauthn_assertion", assertion.assertion_json),
            part("prologue_payload", payload),
        ];
        let prologue = NodeBuilder::new("passkey_prologue").children(parts.into_iter().chain(proof)).build();
        light.send(&ask("set", "prologue", prologue)).await.unwrap();
        Self { newcomer, ephemeral, nonce, reference }
    }

    /// What the server says to a step.
    async fn answer(&mut self, id: &str) -> String {
        let is_it = |node: &Node| node.attrs.get("id").is_some_and(|found| found.as_str() == id);
        let answer = within(self.newcomer.light.until(is_it)).await.unwrap();
        answer.attrs.get("type").unwrap().as_str().into_owned()
    }

    async fn phones_key(&mut self) -> [u8; 32] {
        let tag = "primary_ephemeral_identity";
        let told = within(self.newcomer.light.until(|node| node.get_optional_child(tag).is_some())).await.unwrap();
        let identity = bytes_of(told.get_optional_child(tag).unwrap());
        ShortcakeUtils::parse_primary_ephemeral_identity(&identity).unwrap().public_key
    }

    async fn show_nonce(&mut self, nonce: [u8; 32]) -> String {
        let node = NodeBuilder::new("companion_nonce").bytes(nonce.to_vec()).build();
        self.newcomer.light.send(&ask("set", "nonce", node)).await.unwrap();
        self.answer("nonce").await
    }

    async fn send_keys(&mut self, phones_key: &[u8; 32], secret: [u8; 32]) -> String {
        let key =
            ShortcakeUtils::derive_encryption_key(&self.ephemeral, phones_key, PlatformType::CHROME, &self.reference)
                .unwrap();
        let public = |key: &wacore_libsignal::protocol::KeyPair| key.public_key.public_key_bytes().try_into().unwrap();
        let (noise, identity) = (public(&self.newcomer.noise), public(&self.newcomer.identity));
        let plain = ShortcakeUtils::build_pairing_request(&noise, &identity, &secret);
        let sealed = ShortcakeUtils::encrypt_pairing_request(&plain, &key).unwrap();
        let sealed = ShortcakeUtils::build_encrypted_pairing_request(&sealed);
        let node = NodeBuilder::new("encrypted_pairing_request").bytes(sealed).build();
        self.newcomer.light.send(&ask("set", "keys", node)).await.unwrap();
        self.answer("keys").await
    }
}

fn ask(kind: &str, id: &str, step: Node) -> Node {
    request("md", kind, id, Some(step))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_linked_before_is_recognised_by_the_secret_of_that_time() {
    let simulator = guarded().await;
    let network = simulator.network();
    let secret = [9; 32];
    for (earlier, recognised) in [(None, false), (Some([1; 32]), false), (Some(secret), true)] {
        let mut attempt = Attempt::begin(&simulator, earlier).await;
        assert_eq!(attempt.answer("prologue").await, "result");
        let phones_key = attempt.phones_key().await;
        assert_eq!(attempt.show_nonce(attempt.nonce).await, "result");
        assert_eq!(network.passkey(ANN).unwrap().recognised, recognised);
        assert_eq!(attempt.send_keys(&phones_key, secret).await, "result");
        let identity = within(attempt.newcomer.finish()).await.unwrap();
        within(identity.come_online(simulator.address())).await.unwrap();
        assert_eq!(network.unlink(ANN, Some(identity.device)).unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_that_was_not_committed_to_and_keys_sealed_otherwise_end_the_linking() {
    let simulator = guarded().await;
    let mut attempt = Attempt::begin(&simulator, None).await;
    assert_eq!(attempt.answer("prologue").await, "result");
    let phones_key = attempt.phones_key().await;
    assert_eq!(attempt.show_nonce([0; 32]).await, "error");
    assert_eq!(attempt.send_keys(&phones_key, [9; 32]).await, "error");

    let mut attempt = Attempt::begin(&simulator, None).await;
    assert_eq!(attempt.answer("prologue").await, "result");
    attempt.phones_key().await;
    assert_eq!(attempt.show_nonce(attempt.nonce).await, "result");
    let strangers_key = ShortcakeUtils::generate_companion_ephemeral_keypair().public_key;
    let strangers_key = strangers_key.public_key_bytes().try_into().unwrap();
    assert_eq!(attempt.send_keys(&strangers_key, [9; 32]).await, "error");
    assert!(simulator.network().phone(ANN).unwrap().devices.is_empty());
    assert_eq!(simulator.network().passkey(ANN).unwrap().code, None);
}

#[tokio::test]
async fn a_passkey_is_wanted_shown_and_used_over_http() {
    let simulator = simulator().await;
    simulator.network().create_phone(ANN, "Ann").unwrap();
    let path = format!("/admin/phones/{ANN}/passkey");
    let none = json!({ "required": false, "recognised": false });
    assert_eq!(admin(&simulator, "GET", &path, "").await, (200, none));
    let options = json!({ "challenge": "bm93" }).to_string();
    assert_eq!(admin(&simulator, "POST", &format!("{path}/sign"), &options).await.0, 422);
    let wanted = json!({ "required": true, "recognised": false });
    assert_eq!(admin(&simulator, "POST", &path, r#"{"required":true}"#).await, (200, wanted));
    let (status, assertion) = admin(&simulator, "POST", &format!("{path}/sign"), &options).await;
    assert_eq!((status, &assertion["type"]), (200, &json!("public-key")));
    let (status, refused) = admin(&simulator, "POST", &format!("{path}/sign"), "{}").await;
    assert_eq!((status, &refused["field"]), (422, &json!("challenge")));
}
