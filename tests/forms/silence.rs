//! Tables that do not answer: a Worker gives up in time, says so, and is well again afterwards.

use std::time::{Duration, Instant};

use hantar_testkit::json_client::JsonClient;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::ground::Ground;
use crate::journey::expect;
use crate::worker::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_never_answers_is_given_up_and_its_connections_are_closed() {
    let ground = Ground::new().await;
    let shop = ground.shop(1, true).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let aws = format!("http://{}", listener.local_addr().unwrap());
    let (closed, mut closings) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let closed = closed.clone();
            // Takes whatever comes and says nothing.
            tokio::spawn(async move {
                let mut ignored = [0; 4096];
                while stream.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
                let _nobody_waits = closed.send(());
            });
        }
    });
    let worker = Worker::start(&ground.bindings(&aws)).await;
    let client = JsonClient::new(&worker.url).with_token(&shop.token);
    let asked = Instant::now();
    let answer = client.get("/api/v1/balance").await.unwrap();
    println!("given up after {:?}", asked.elapsed());
    expect(&answer, 503, Some("busy"));
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    // One for each try that was given up: they are ended, and not only forgotten.
    for _ in 0..3 {
        timeout(Duration::from_secs(5), closings.recv()).await.expect("a connection given up is closed").unwrap();
    }
    expect(&client.get("/healthz").await.unwrap(), 200, None);
}
