use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;

use super::*;
use crate::whatsapp::tls;

const LIMIT: Duration = Duration::from_secs(10);

fn sockets(address: std::net::SocketAddr, guard: Guard, cut: watch::Receiver<bool>) -> Sockets {
    let server = Server::new(&format!("ws://{address}/ws/chat"), tls::client_config(None).unwrap()).unwrap();
    Sockets::new(server, guard, cut, Progress::default())
}

/// A server that takes one connection and hands its frames over; the channel closes with the socket.
async fn server() -> (std::net::SocketAddr, tokio::sync::mpsc::Receiver<Message>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (frames, received) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(frame)) = socket.next().await {
            if frames.send(frame).await.is_err() {
                return;
            }
        }
    });
    (address, received)
}

#[tokio::test]
async fn a_frame_is_written_only_while_the_lease_holds() {
    let (address, mut frames) = server().await;
    let ours = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&ours);
    let (_cut, cut) = watch::channel(false);
    let (socket, _events) =
        sockets(address, Arc::new(move || asked.load(Ordering::SeqCst)), cut).create_transport().await.unwrap();
    socket.send(Bytes::from_static(b"one")).await.unwrap();
    let first = tokio::time::timeout(LIMIT, frames.recv()).await.unwrap();
    assert_eq!(first, Some(Message::Binary(Bytes::from_static(b"one"))));
    ours.store(false, Ordering::SeqCst);
    let refused = socket.send(Bytes::from_static(b"two")).await.unwrap_err();
    assert!(refused.is::<NotOurs>());
    ours.store(true, Ordering::SeqCst);
    assert!(socket.send(Bytes::from_static(b"three")).await.is_err(), "a refused socket stays closed");
    assert_eq!(tokio::time::timeout(LIMIT, frames.recv()).await.unwrap(), None, "and the server sees it closed");
}

#[tokio::test]
async fn dropping_the_cut_closes_the_socket() {
    let (address, mut frames) = server().await;
    let (cut_sender, cut) = watch::channel(false);
    let (socket, events) = sockets(address, Arc::new(|| true), cut).create_transport().await.unwrap();
    assert!(matches!(events.recv().await.unwrap(), TransportEvent::Connected));
    drop(cut_sender);
    let last = tokio::time::timeout(LIMIT, events.recv()).await.unwrap().unwrap();
    assert!(matches!(last, TransportEvent::Disconnected(DisconnectReason::Unknown)));
    drop(socket);
    assert_eq!(tokio::time::timeout(LIMIT, frames.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_opened_without_the_lease() {
    let (address, _frames) = server().await;
    let (_cut, cut) = watch::channel(false);
    let opened = sockets(address, Arc::new(|| false), cut).create_transport().await;
    assert!(opened.err().unwrap().is::<NotOurs>());
}

#[test]
fn only_websocket_addresses_are_taken() {
    let tls = tls::client_config(None).unwrap();
    for url in ["http://x/", "web.whatsapp.com", ""] {
        assert!(Server::new(url, Arc::clone(&tls)).is_err(), "{url}");
    }
    assert!(Server::new("wss://web.whatsapp.com/ws/chat", tls).is_ok());
}
