//! Clients that do not speak the protocol hurt nobody but themselves.

use std::sync::Arc;
use std::time::Duration;

use hantar_simulator::Simulator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wacore::net::{Transport, TransportEvent, TransportFactory as _};
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::XxHandshakeState;
use wacore_noise::framing::encode_frame;
use whatsapp_rust::async_channel::Receiver;
use whatsapp_rust::transport::TokioWebSocketTransportFactory;

use crate::support::{PATIENCE, admin, linked, simulator};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

type Socket = (Arc<dyn Transport>, Receiver<TransportEvent>);

async fn socket(simulator: &Simulator) -> Socket {
    let factory = TokioWebSocketTransportFactory::new().with_url(simulator.websocket_url());
    factory.create_transport().await.unwrap()
}

async fn send(socket: &Socket, bytes: Vec<u8>) {
    // The server may have hung up already, which is a good answer too.
    let _ = socket.0.send(bytes.into()).await;
}

async fn closed(socket: &Socket) {
    let end = async {
        while let Ok(event) = socket.1.recv().await {
            if matches!(event, TransportEvent::Disconnected(_)) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("the server hangs up");
}

fn noise_of(length: usize, seed: u64) -> Vec<u8> {
    use rand::{RngExt as _, SeedableRng as _};
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    (0..length).map(|_| rng.random()).collect()
}

fn framed(payload: &[u8]) -> Vec<u8> {
    encode_frame(payload, Some(&WA_CONN_HEADER)).unwrap()
}

/// Performs an XX handshake by hand and gives the socket after the client's last handshake frame.
async fn shake_hands(simulator: &Simulator, payload: Vec<u8>) -> Socket {
    let socket = socket(simulator).await;
    let keys = KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
    let mut state = XxHandshakeState::new(keys, payload, &WA_CONN_HEADER).unwrap();
    send(&socket, framed(&state.build_client_hello().unwrap())).await;
    let hello = tokio::time::timeout(PATIENCE, async {
        loop {
            if let TransportEvent::DataReceived(data) = socket.1.recv().await.unwrap() {
                return data;
            }
        }
    });
    let hello = hello.await.unwrap();
    let finish = state.read_server_hello_and_build_client_finish(&hello[3..]).unwrap();
    send(&socket, encode_frame(&finish, None).unwrap()).await;
    socket
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_arrives_on_a_socket_the_network_goes_on() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;

    for seed in 0..20 {
        let garbage = socket(&simulator).await;
        send(&garbage, noise_of(300, seed)).await;
        closed(&garbage).await;
    }
    let hello = socket(&simulator).await;
    send(&hello, framed(&noise_of(120, 99))).await;
    closed(&hello).await;
    let not_a_payload = shake_hands(&simulator, vec![0xFF; 40]).await;
    closed(&not_a_payload).await;
    let nobody = shake_hands(&simulator, Vec::new()).await;
    closed(&nobody).await;
    let after_handshake = shake_hands(&simulator, Vec::new()).await;
    send(&after_handshake, encode_frame(&noise_of(64, 5), None).unwrap()).await;
    closed(&after_handshake).await;

    let id = ann.send(BEN, "still here").await;
    assert_eq!(ann.ack(&id).await.error, None);
    assert_eq!(simulator.network().phone(ANN).unwrap().devices.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_handshake_holds_nothing_up() {
    let simulator = simulator().await;
    let mut halves = Vec::new();
    for cut in [0, 2, 4, 6, 20] {
        let half = socket(&simulator).await;
        let state = XxHandshakeState::new(
            KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>()),
            Vec::new(),
            &WA_CONN_HEADER,
        )
        .unwrap();
        let hello = framed(&state.build_client_hello().unwrap());
        send(&half, hello[..cut].to_vec()).await;
        halves.push(half);
    }
    // A frame that announces 16 MiB and sends nothing of it.
    let promise = socket(&simulator).await;
    send(&promise, [&WA_CONN_HEADER[..], &[0xFF, 0xFF, 0xFF]].concat()).await;
    let _ann = linked(&simulator, ANN).await;
    drop((halves, promise));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_messages_end_their_own_connection() {
    let simulator = simulator().await;
    let big = socket(&simulator).await;
    send(&big, vec![0; (1 << 24) + 64]).await;
    closed(&big).await;
    let mut raw = TcpStream::connect(simulator.address()).await.unwrap();
    raw.write_all(&noise_of(4_096, 3)).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), raw.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server hangs up on what is not HTTP");
    assert_eq!(admin(&simulator, "GET", "/healthz", "").await.0, 200);
}
