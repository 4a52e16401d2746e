//! Traces: a collector that a host is told of gets the spans of a message's way, and what is left when the host goes.

use hantar_testkit::webhook_receiver::{Received, WebhookReceiver};

use crate::host::Host;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_sent_the_spans_of_a_messages_way_and_the_last_ones_before_the_host_ends() {
    let world = World::new().await;
    let collector = WebhookReceiver::start().await;
    let mut host = Host::start_traced(&world, "first", &collector.url).await;
    world.link().await;
    let id = world.send(&world.tills[0], "traced").await;
    world.sent(&[id]).await;
    host.leave().await;
    let batches = collector.received();
    assert!(!batches.is_empty(), "nothing was sent to the collector");
    for batch in &batches {
        assert_eq!((batch.method.as_str(), batch.header("content-type")), ("POST", "application/x-protobuf"));
        assert!(batch.path.ends_with("/v1/traces"), "{}", batch.path);
        assert!(holds(batch, "hantar-device-host"), "the service's name");
    }
    for span in ["take over", "connect", "send", "record"] {
        assert!(batches.iter().any(|batch| holds(batch, span)), "no span is called `{span}`");
    }
    let text = "traced";
    assert!(!batches.iter().any(|batch| holds(batch, text)), "what a message says is nobody's business");
}

/// Texts stand in Protocol Buffers as they are, behind their length.
fn holds(batch: &Received, text: &str) -> bool {
    let mut wanted = vec![u8::try_from(text.len()).unwrap()];
    wanted.extend(text.bytes());
    batch.body.windows(wanted.len()).any(|window| window == wanted)
}
