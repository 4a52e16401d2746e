//! Whatever a client asks, it is answered: a request without an answer costs it 75 seconds.

use std::collections::BTreeMap;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::light::{Light, request};
use crate::support::{light, simulator, within};

const ANN: &str = "60120000001";

/// Namespace, type and first child of requests that clients are known to make, and of some that nobody makes.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("passive", "set", "active"),
    ("passive", "set", "passive"),
    ("w:p", "get", ""),
    ("urn:xmpp:ping", "get", "ping"),
    ("urn:xmpp:whatsapp:dirty", "set", "clean"),
    ("abt", "get", "props"),
    ("w", "get", "props"),
    ("blocklist", "get", ""),
    ("blocklist", "set", "item"),
    ("privacy", "get", "privacy"),
    ("privacy", "set", "privacy"),
    ("privacy", "set", "tokens"),
    ("encrypt", "get", "count"),
    ("encrypt", "get", "digest"),
    ("encrypt", "get", "key"),
    ("encrypt", "set", "registration"),
    ("encrypt", "set", "rotate"),
    ("usync", "get", "usync"),
    ("w:m", "set", "media_conn"),
    ("w:sync:app:state", "set", "sync"),
    ("w:g2", "get", "participating"),
    ("w:g2", "get", "query"),
    ("w:g2", "set", "create"),
    ("w:g2", "set", "leave"),
    ("w:profile:picture", "get", "picture"),
    ("w:profile:picture", "set", "picture"),
    ("status", "set", "status"),
    ("status", "get", "status"),
    ("w:biz", "get", "business_profile"),
    ("w:biz:catalog", "get", "product_catalog"),
    ("w:mex", "get", "query"),
    ("newsletter", "get", "messages"),
    ("newsletter", "set", "live_updates"),
    ("disappearing_mode", "set", "disappearing_mode"),
    ("tos", "get", "request"),
    ("fb:thrift_iq", "get", "request"),
    ("urn:xmpp:whatsapp:account", "get", "crypto"),
    ("urn:xmpp:whatsapp:push", "set", "config"),
    ("w:stats", "set", "add"),
    ("w:web", "get", "query"),
    ("md", "set", "link_code_companion_reg"),
    ("md", "set", "key-index-list"),
    ("md", "get", "ref"),
    ("md", "get", "passkey_request_options"),
    ("md", "set", "passkey_prologue"),
    ("md", "set", "companion_nonce"),
    ("md", "set", "encrypted_pairing_request"),
    ("call", "get", "call"),
    ("w:comms:chat", "get", "query"),
    ("spam", "set", "spam_list"),
    ("bot", "get", "bot"),
    ("waffle", "get", "waffle"),
    ("", "get", ""),
    ("", "set", "nothing"),
    ("unheard:of", "get", "thing"),
    ("unheard:of", "set", ""),
    ("encrypt", "set", "unheard"),
    ("abt", "get", "unheard"),
    ("w:m", "set", "unheard"),
    ("passive", "set", "unheard"),
];

fn attribute(node: &Node, name: &str) -> String {
    node.attrs.get(name).map(|value| value.as_str().into_owned()).unwrap_or_default()
}

fn child(tag: &str) -> Option<Node> {
    (!tag.is_empty()).then(|| NodeBuilder::new_dynamic(tag.to_owned()).build())
}

/// The answer to the request with this id, whatever else comes.
async fn answer_to(light: &mut Light, id: &str) -> Node {
    let is_it = |node: &Node| node.tag == "iq" && attribute(node, "id") == id;
    within(light.until(is_it)).await.unwrap_or_else(|error| panic!("no answer to {id}: {error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_answered_with_a_result_or_a_proper_error() {
    let simulator = simulator().await;
    let mut ann = light(&simulator, ANN).await.come_online(simulator.address()).await.unwrap();
    let mut refused = BTreeMap::new();
    for (at, (namespace, kind, tag)) in REQUESTS.iter().enumerate() {
        let id = format!("ask-{at}");
        ann.send(&request(namespace, kind, &id, child(tag))).await.unwrap();
        let answer = answer_to(&mut ann, &id).await;
        match attribute(&answer, "type").as_str() {
            "result" => {}
            "error" => {
                let error = answer.get_optional_child("error").expect("an error says what it is");
                let code: u16 = attribute(error, "code").parse().expect("it has a code");
                assert!((400..=599).contains(&code) && !attribute(error, "text").is_empty(), "{answer:?}");
                if code == 501 {
                    *refused.entry(format!("{namespace} {tag}")).or_insert(0) += 1;
                }
            }
            other => panic!("{namespace} {tag}: type {other}"),
        }
    }
    for unknown in ["unheard:of thing", "encrypt unheard", "abt unheard", "w:m unheard", "passive unheard"] {
        assert!(refused.contains_key(unknown), "{unknown}: {refused:?}");
    }
    assert_eq!(simulator.network().unknown_iqs(), refused);
    assert_eq!(simulator.network().counts()["unknown_iqs"], refused.values().sum::<u64>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_an_odd_shape_is_answered_too() {
    let simulator = simulator().await;
    let mut ann = light(&simulator, ANN).await.come_online(simulator.address()).await.unwrap();
    for (namespace, kind, tag) in REQUESTS {
        // Its children hold what nobody expects: bytes, other tags, JIDs where words belong.
        let odd = NodeBuilder::new("list").attr("jid", "not a jid").bytes(vec![0xFF; 9]).build();
        let content = child(tag).map(|mut child| {
            child.content = Some(wacore_binary::NodeContent::Nodes(vec![odd.clone(), odd]));
            child
        });
        let id = format!("odd-{namespace}-{tag}-{kind}");
        ann.send(&request(namespace, kind, &id, content)).await.unwrap();
        answer_to(&mut ann, &id).await;
    }
    for id in ["no-type", "odd-type"] {
        let mut odd = NodeBuilder::new("iq").attr("id", id).attr("xmlns", "w:p");
        if id == "odd-type" {
            odd = odd.attr("type", "subscribe");
        }
        ann.send(&odd.build()).await.unwrap();
        let answer = answer_to(&mut ann, id).await;
        assert_eq!(attribute(answer.get_optional_child("error").unwrap(), "code"), "400");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_pairs_is_answered_too() {
    let simulator = simulator().await;
    let registration = waproto::whatsapp::client_payload::DevicePairingRegistrationData::default();
    let payload = waproto::whatsapp::ClientPayload {
        device_pairing_data: buffa::MessageField::some(registration),
        ..Default::default()
    };
    let noise = wacore_libsignal::protocol::KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
    let payload = buffa::Message::encode_to_vec(&payload);
    let (mut nobody, _) = Light::first_contact(simulator.address(), noise, payload).await.unwrap();
    for (at, (namespace, kind, tag)) in REQUESTS.iter().enumerate() {
        let id = format!("ask-{at}");
        nobody.send(&request(namespace, kind, &id, child(tag))).await.unwrap();
        answer_to(&mut nobody, &id).await;
    }
}
