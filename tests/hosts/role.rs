//! A host with no keys of its own: a task's role, asked for at the container's endpoint and again before it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::host::Host;
use crate::world::World;

/// The SDK asks again ten seconds before the end.
const GOOD_FOR: Duration = Duration::from_secs(14);

#[tokio::test(flavor = "multi_thread")]
async fn a_host_asks_with_its_tasks_role_and_for_a_new_one_before_it_ends() {
    let world = World::new().await;
    let token = world.folder().join("token");
    std::fs::write(&token, "secret of the container").unwrap();
    let agent = Agent::start().await;
    let _host = Host::start_with_role(&world, &agent.url, &token).await;
    assert!(world.aws.count_of_client("role-1") > 0, "it asks the tables with what it was given");
    world.until("a second key", async || (world.aws.count_of_client("role-2") > 0).then_some(())).await;
    assert!(agent.asked.load(Ordering::Acquire) >= 2);
    world.link().await;
}

/// What a container asks for its role's credentials.
struct Agent {
    url: String,
    asked: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Agent {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/credentials", listener.local_addr().unwrap());
        let asked = Arc::<AtomicUsize>::default();
        let counter = asked.clone();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    request.push(byte);
                }
                let request = String::from_utf8_lossy(&request).to_lowercase();
                let allowed = request.contains("authorization: secret of the container\r\n");
                let body = if allowed { keys(counter.fetch_add(1, Ordering::AcqRel) + 1) } else { String::new() };
                let status = if allowed { "200 OK" } else { "401 Unauthorized" };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { url, asked, _serving: serving }
    }
}

fn keys(number: usize) -> String {
    let end = (SystemTime::now() + GOOD_FOR).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let end = jiff::Timestamp::from_second(i64::try_from(end.as_secs()).unwrap()).unwrap();
    format!(
        r#"{{"RoleArn":"arn:aws:iam::1:role/host","AccessKeyId":"role-{number}","SecretAccessKey":"secret","Token":"token","Expiration":"{end}"}}"#
    )
}
