use hantar_domain::device::Status;
use hantar_domain::message::State;
use hantar_platform::faults::{Calls, Loss, LostAs};

use crate::world::{ALI, World};

struct L;
impl log::Log for L {
    fn enabled(&self, _: &log::Metadata) -> bool { true }
    fn log(&self, r: &log::Record) {
        if r.level() <= log::Level::Debug && (r.target().starts_with("whatsapp") || r.target().starts_with("wacore") || r.target().starts_with("Client")) {
            eprintln!("{:.3} {} {}: {}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, r.level(), r.target(), r.args().to_string().chars().take(200).collect::<String>());
        }
    }
    fn flush(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lost_its_lease_is_followed_by_another_that_sends() {
    log::set_boxed_logger(Box::new(L)).unwrap(); log::set_max_level(log::LevelFilter::Debug);
    tracing_subscriber::fmt().with_env_filter("hantar_device_host=debug,hantar_simulator=info").with_test_writer().init();
    let world = World::new().await;
    let cut_off = world.tables.elsewhere();
    let first = world.host_on(&cut_off).await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.link().await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.send(ALI, "from the first").await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.shown(1).await;
    // The first host reaches no table any more.
    cut_off.faults.change(|plan| plan.losses.push(Loss { calls: Calls::any(1.0), executed: false, error: LostAs::Io }));
    let second = world.host().await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.until("the second host to take over", async || (second.facts().shards == 4).then_some(())).await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    let id = world.send(ALI, "from the second").await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    assert_eq!(world.shown(2).await, ["from the first", "from the second"]);
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.message_until(id, State::Delivered).await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.until("the first host to give everything up", async || (first.facts().shards == 0 && first.facts().connected == 0).then_some(())).await;
    // It comes back, finds others at work, and is given its share.
    cut_off.faults.change(|plan| plan.losses.clear());
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.until("an even share", async || (first.facts().shards == 2 && second.facts().shards == 2).then_some(())).await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    let id = world.send(ALI, "from whoever it is").await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    world.message_until(id, State::Delivered).await;
    eprintln!("{:?} L{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() % 100.0, line!());
    assert_eq!(world.shown(3).await.len(), 3);
    assert_eq!(world.stanzas_of(id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_shared_when_a_host_comes_and_go_back_when_it_leaves() {
    let (world, first) = World::linked().await;
    let second = world.host_on(&world.tables.elsewhere()).await;
    world.until("an even share", async || (first.facts().shards == 2 && second.facts().shards == 2).then_some(())).await;
    world.device_until("connected", |device| device.status == Status::Connected).await;
    let id = world.send(ALI, "in between").await;
    world.message_until(id, State::Delivered).await;
    first.drain().await;
    world.until("the second host to have all", async || (second.facts().shards == 4).then_some(())).await;
    let id = world.send(ALI, "at last").await;
    world.message_until(id, State::Delivered).await;
    assert_eq!(world.shown(2).await, ["in between", "at last"]);
    second.drain().await;
    let heartbeats = world.tables.leases.heartbeats().await.unwrap();
    assert!(heartbeats.iter().all(|beat| beat.ended), "{heartbeats:?}");
    let leases = world.tables.leases.shards().await.unwrap();
    assert!(leases.iter().all(|lease| lease.owner.is_none()), "{leases:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_died_without_a_word_is_followed_after_its_term() {
    let (world, first) = World::linked().await;
    drop(first);
    let id = world.send(ALI, "to whoever comes").await;
    let _second = world.host().await;
    assert_eq!(world.shown(1).await, ["to whoever comes"]);
    world.message_until(id, State::Delivered).await;
}
