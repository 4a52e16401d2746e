//! Garbage, and much of it: whatever comes in whatever state of a connection, the network goes on, for everybody else
//! and for the account it came from. Each test runs for a bounded time on a seed that it prints; set
//! `HANTAR_FUZZ_SEED` to run one again.
#![expect(clippy::disallowed_methods, reason = "tests that take their seed from the environment")]

use std::time::Duration;

use futures::SinkExt as _;
use hantar_simulator::Simulator;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_binary::{Jid, Node, NodeContent, marshal};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::framing::{FrameDecoder, encode_frame};
use wacore_noise::{IkHandshakeState, XxHandshakeState};

use crate::light::{self, Identity, Light, request};
use crate::support::{admin, http, light as paired, linked, simulator, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";
/// How long each test throws garbage, and how often at most.
const BUDGET: Duration = Duration::from_secs(4);
const MOST_ROUNDS: u32 = 5_000;

fn dice() -> StdRng {
    let seed = std::env::var("HANTAR_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| rand::make_rng::<StdRng>().random());
    println!("HANTAR_FUZZ_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn noise(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let length = rng.random_range(0..=most);
    (0..length).map(|_| rng.random()).collect()
}

/// The bytes with some of them changed, taken out, doubled or cut off.
fn bent(rng: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.random_range(1..6) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..5) {
            0 => bytes[at] = rng.random(),
            1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => {
                bytes.remove(at);
            }
            3 => bytes.insert(at, rng.random()),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Does `round` again and again until the budget is used up, in time or in rounds; then somebody else's conversation still works.
async fn again_and_again(simulator: &Simulator, mut round: impl AsyncFnMut()) {
    let mut rounds = 0_u32;
    let all = async {
        while rounds < MOST_ROUNDS {
            within(round()).await;
            rounds += 1;
        }
    };
    let _budget_is_used_up = tokio::time::timeout(BUDGET, all).await;
    println!("{rounds} rounds");
    assert!(rounds >= 10, "only {rounds} rounds");
    still_works(simulator).await;
}

async fn still_works(simulator: &Simulator) {
    if simulator.network().phone(EVE).is_err() {
        simulator.network().create_phone(EVE, "Eve").unwrap();
    }
    let ben = linked(simulator, BEN).await;
    let id = ben.send(EVE, "still here").await;
    assert_eq!(ben.ack(&id).await.error, None);
}

fn pick(rng: &mut StdRng, words: &[&'static str]) -> &'static str {
    words[rng.random_range(0..words.len())]
}

/// A stanza of a random shape with words that the network knows.
fn stanza(rng: &mut StdRng, depth: u32) -> Node {
    const TAGS: &[&str] = &[
        "iq",
        "message",
        "receipt",
        "ack",
        "presence",
        "chatstate",
        "notification",
        "call",
        "ib",
        "enc",
        "participants",
        "to",
        "list",
        "item",
        "user",
        "usync",
        "query",
        "key",
        "skey",
        "registration",
        "identity",
        "device-identity",
        "pair-device-sign",
        "sync",
        "collection",
        "patch",
        "privacy",
        "picture",
        "create",
        "participant",
        "unheard",
    ];
    const NAMES: &[&str] = &[
        "id",
        "type",
        "to",
        "from",
        "xmlns",
        "jid",
        "participant",
        "recipient",
        "class",
        "v",
        "value",
        "name",
        "edit",
    ];
    const VALUES: &[&str] = &[
        "",
        "get",
        "set",
        "result",
        "error",
        "retry",
        "read",
        "msg",
        "pkmsg",
        "skmsg",
        "1",
        "-1",
        "99999999999999999999",
        "encrypt",
        "usync",
        "w:g2",
        "w:mex",
        "w:sync:app:state",
        "md",
        "passive",
        "privacy",
        "newsletter",
        "text",
        "regular_high",
        "status@broadcast",
        "@",
        "a@b@c",
        "120363000000000000@g.us",
        "é\u{0}",
    ];
    let mut node = NodeBuilder::new(pick(rng, TAGS));
    for _ in 0..4 {
        let (name, value) = (pick(rng, NAMES), pick(rng, VALUES));
        node = match (name, rng.random_range(0..3)) {
            ("to" | "from" | "jid" | "participant", 0) => node.attr(name, Jid::pn_device(ANN, rng.random_range(0..40))),
            ("to" | "from" | "jid" | "participant", 1) => node.attr(name, Jid::pn(BEN)),
            _ => node.attr(name, value),
        };
    }
    let mut node = node.build();
    node.content = match rng.random_range(0..4) {
        0 => None,
        1 => Some(NodeContent::Bytes(noise(rng, 40))),
        _ if depth == 0 => None,
        _ => Some(NodeContent::Nodes((0..rng.random_range(0..4)).map(|_| stanza(rng, depth - 1)).collect())),
    };
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stanzas_of_any_shape_bring_nothing_down() {
    let (simulator, mut rng) = (simulator().await, dice());
    let ann = paired(&simulator, ANN).await;
    let mut connection = Some(ann.come_online(simulator.address()).await.unwrap());
    again_and_again(&simulator, async || {
        let mut open = match connection.take() {
            Some(open) => open,
            None => ann.come_online(simulator.address()).await.unwrap(),
        };
        for _ in 0..20 {
            let odd = stanza(&mut rng, 3);
            if odd.get_optional_child("device-identity").is_none() {
                let _ = open.send(&odd).await;
            }
        }
        // Who is asked after all that still answers, or hung up on purpose.
        let _ = open.send(&request("w:p", "get", "alive", None)).await;
        let is_it = |node: &Node| node.attrs.get("id").is_some_and(|id| id.as_str() == "alive");
        if open.until(is_it).await.is_ok() {
            connection = Some(open);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_stanza_end_their_own_connection() {
    let (simulator, mut rng) = (simulator().await, dice());
    let ann = paired(&simulator, ANN).await;
    again_and_again(&simulator, async || {
        let mut open = ann.log_in(simulator.address()).await.unwrap();
        for _ in 0..8 {
            let valid = marshal::marshal_auto(&stanza(&mut rng, 3)).unwrap_or_default();
            let bytes = match rng.random_range(0..4) {
                0 => noise(&mut rng, 300),
                // Marked as compressed, and not a zlib stream.
                1 => [&[2][..], &noise(&mut rng, 100)].concat(),
                _ => bent(&mut rng, valid),
            };
            if open.send_encoded(bytes).await.is_err() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stanza_that_unpacks_to_too_much_or_nests_too_deep_ends_its_connection() {
    let simulator = simulator().await;
    let ann = paired(&simulator, ANN).await;
    let mut deep = NodeBuilder::new("a").build();
    for _ in 0..2_000 {
        deep = NodeBuilder::new("a").children([deep]).build();
    }
    let deep = std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(move || {
            let encoded = marshal::marshal_auto(&deep).unwrap();
            // Dropping it recurses as deep as building it did.
            drop(deep);
            encoded
        })
        .unwrap()
        .join()
        .unwrap();
    for bytes in [deep, [&[2][..], &bomb()].concat()] {
        let mut open = ann.log_in(simulator.address()).await.unwrap();
        open.send_encoded(bytes).await.unwrap();
        assert!(within(open.until(|_| false)).await.is_err());
    }
    still_works(&simulator).await;
}

/// A zlib stream of 64 MiB of zeroes, as stored blocks of which each refers to what is before it.
fn bomb() -> Vec<u8> {
    // Fixed-Huffman deflate: one literal zero, then matches of length 258 at distance 1, ten bits each… made here by
    // repeating a byte pattern that decodes to such matches: five bits of distance and eight of length.
    let mut bits = Vec::new();
    let mut push = |value: u32, count: u32, reversed: bool| {
        for bit in 0..count {
            let at = if reversed { count - 1 - bit } else { bit };
            bits.push((value >> at) & 1 == 1);
        }
    };
    push(1, 1, false);
    push(1, 2, false);
    push(0b0011_0000, 8, true);
    for _ in 0..(64 << 20) / 258 {
        push(0b1100_0101, 8, true);
        push(0, 5, true);
    }
    push(0, 7, true);
    let packed = bits.chunks(8).map(|byte| byte.iter().rev().fold(0_u8, |sum, bit| (sum << 1) | u8::from(*bit)));
    [0x78, 0x9C].into_iter().chain(packed).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_any_length_and_content_end_their_own_connection() {
    let (simulator, mut rng) = (simulator().await, dice());
    let ann = paired(&simulator, ANN).await;
    again_and_again(&simulator, async || {
        let mut open = ann.log_in(simulator.address()).await.unwrap();
        for _ in 0..4 {
            let length: [u8; 3] = rng.random();
            let valid = open.seal(marshal::marshal_auto(&stanza(&mut rng, 2)).unwrap_or_default()).unwrap();
            let frame = match rng.random_range(0..5) {
                0 => [&length[..], &noise(&mut rng, 200)].concat(),
                1 => noise(&mut rng, 200),
                2 => encode_frame(&noise(&mut rng, 200), None).unwrap(),
                // Announced as longer than anything that follows.
                3 => [&[0xFF, 0xFF, 0xFF], &valid[3..]].concat(),
                _ => bent(&mut rng, valid),
            };
            let _ = open.send_raw(frame).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_are_bent_or_left_half_way_leave_nothing_behind() {
    let (simulator, mut rng) = (simulator().await, dice());
    again_and_again(&simulator, async || {
        let mut socket = light::socket(simulator.address()).await.unwrap();
        let key = KeyPair::generate(&mut rng);
        let mut xx = XxHandshakeState::new(key.clone(), noise(&mut rng, 60), &WA_CONN_HEADER).unwrap();
        let hello = if rng.random_bool(0.5) {
            // Encrypted to a key that is nobody's.
            let mut ik = IkHandshakeState::new(key, rng.random(), noise(&mut rng, 60), &WA_CONN_HEADER).unwrap();
            ik.build_client_hello().unwrap()
        } else {
            xx.build_client_hello().unwrap()
        };
        let hello = if rng.random_bool(0.5) { bent(&mut rng, hello) } else { hello };
        let hello = encode_frame(&hello, Some(&WA_CONN_HEADER)).unwrap();
        let hello = if rng.random_bool(0.2) { bent(&mut rng, hello) } else { hello };
        let _ = socket.send(Message::Binary(hello.into())).await;
        // It answers, hangs up, or waits for more of what looks like a frame.
        let (mut frames, moment) = (FrameDecoder::new(), Duration::from_millis(20));
        let answer = tokio::time::timeout(moment, light::next_frame(&mut socket, &mut frames)).await;
        let answer = answer.ok().and_then(Result::ok).filter(|_| rng.random_bool(0.8));
        let finish = answer.and_then(|answer| xx.read_server_hello_and_build_client_finish(&answer).ok());
        let finish = match finish {
            Some(finish) => bent(&mut rng, finish),
            None => noise(&mut rng, 200),
        };
        let finish = encode_frame(&finish, None).unwrap();
        let _ = socket.send(Message::Binary(finish.into())).await;
        let _ = tokio::time::timeout(moment, light::next_frame(&mut socket, &mut frames)).await;
    })
    .await;
    // Those who left are forgotten; Ben of the closing conversation is the only one.
    let gone = async {
        while simulator.network().counts()["connections"] > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_sent_again_is_not_taken_again() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann: Identity = paired(&simulator, ANN).await;
    let mut open: Light = ann.come_online(simulator.address()).await.unwrap();
    let stanza = request("w:p", "get", "once", None);
    let frame = open.seal(marshal::marshal_auto(&stanza).unwrap()).unwrap();
    open.send_raw(frame.clone()).await.unwrap();
    let is_it = |node: &Node| node.attrs.get("id").is_some_and(|id| id.as_str() == "once");
    within(open.until(is_it)).await.unwrap();
    open.send_raw(frame).await.unwrap();
    assert!(within(open.until(|_| false)).await.is_err(), "the connection ends");
    assert_eq!(simulator.network().phone(ANN).unwrap().devices.len(), 1);
    // On a new connection the old frame is nothing either.
    still_works(&simulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_that_are_half_open_keep_nobody_out() {
    let simulator = simulator().await;
    let mut held = Vec::new();
    let mut sockets = Vec::new();
    for at in 0..400 {
        if at % 2 == 0 {
            // Not even the head of a request.
            held.push(TcpStream::connect(simulator.address()).await.unwrap());
        } else {
            let mut socket = light::socket(simulator.address()).await.unwrap();
            let begun = WA_CONN_HEADER[..at % WA_CONN_HEADER.len()].to_vec();
            socket.send(Message::Binary(begun.into())).await.unwrap();
            sockets.push(socket);
        }
    }
    still_works(&simulator).await;
    drop((held, sockets));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_fill_the_memory_before_its_handshake() {
    let simulator = simulator().await;
    let mut socket = light::socket(simulator.address()).await.unwrap();
    let promise = [&WA_CONN_HEADER[..], &[0xFF, 0xFF, 0xFF]].concat();
    socket.send(Message::Binary(promise.into())).await.unwrap();
    let ended = async {
        // It hangs up long before the sixteen megabytes it was promised.
        for _ in 0..16 {
            if socket.send(Message::Binary(vec![0; 64 << 10].into())).await.is_err() {
                return;
            }
        }
        light::next_frame(&mut socket, &mut FrameDecoder::new()).await.unwrap_err();
    };
    within(ended).await;
    assert_eq!(simulator.network().counts()["connections_failed"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_huge_or_garbage_are_refused_by_the_admin_api() {
    let (simulator, mut rng) = (simulator().await, dice());
    simulator.network().create_phone(ANN, "Ann").unwrap();
    let json = "application/json";
    let mut paths = vec!["/admin/mock-phone/scan-qr".to_owned()];
    for place in ["phones", "faults", "time", "limits", "stream-error", "disconnect"] {
        paths.push(format!("/admin/{place}"));
    }
    for act in ["send", "read", "unlink", "block"] {
        paths.push(format!("/admin/phones/{ANN}/{act}"));
    }
    for path in &paths {
        assert_eq!(oversized(&simulator, path, json, 3 << 20).await, 413, "{path}");
        for _ in 0..20 {
            let garbage = String::from_utf8_lossy(&noise(&mut rng, 200)).into_owned();
            let (status, _) = http(&simulator, "POST", path, json, &format!("{{{garbage}")).await;
            assert!((400..500).contains(&status), "{path}: {status} for {garbage:?}");
        }
    }
    assert_eq!(admin(&simulator, "GET", "/healthz", "").await.0, 200);
}

/// The status of the answer to a body of so many bytes. Who is refused for the length is cut off while still sending: what
/// is not taken any more is no failure, the answer counts.
async fn oversized(simulator: &Simulator, path: &str, kind: &str, length: usize) -> u16 {
    let stream = tokio::net::TcpStream::connect(simulator.address()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: simulator\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    let sending = tokio::spawn(async move {
        let body = vec![b' '; length];
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(&body).await
    });
    let mut answer = BufReader::new(reader).lines();
    let status = within(answer.next_line()).await.unwrap().expect("an answer");
    sending.abort();
    status.split(' ').nth(1).unwrap().parse().unwrap()
}
