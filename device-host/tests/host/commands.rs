use std::time::Duration;

use hantar_domain::ids::{CommandId, Epoch, Shard};
use hantar_domain::phone::PhoneNumber;
use hantar_platform::sleep::TokioSleep;
use hantar_simulator::{StanzaDirection, StanzaFilter};
use hantar_usecases::ask_device::{AskError, Asking};
use hantar_usecases::ports::{Answer, Ask, Command, Failed, Job, Outcome, Queue};

use crate::tables::SHARDS;
use crate::world::{ALI, SHOP, World};

/// Nobody's number.
const NOBODY: &str = "60123456780";

fn number(phone: &str) -> Ask {
    Ask::Number(PhoneNumber::from_e164(phone).unwrap())
}

impl World {
    async fn ask(&self, ask: Ask) -> Result<Answer, AskError> {
        let tables = &self.tables;
        let asking = Asking {
            fleet: tables.fleet.as_ref(),
            queue: tables.queue.as_ref(),
            clock: tables.clock.as_ref(),
            sleep: &TokioSleep,
            entropy: tables.entropy.as_ref(),
            shards: SHARDS,
        };
        asking.ask(self.shop.tenant.as_ref(), self.shop.account, self.shop.device, ask).await
    }

    /// Stores a command, and rings for it so often.
    async fn command(&self, id: CommandId, ask: Ask, rings: usize) {
        let expires_at = self.tables.clock.now() + Duration::from_mins(1);
        let command = Command { id, device: self.shop.device, ask, expires_at };
        self.shop.tenant.put_command(&command).await.unwrap();
        let job = Job::Command { account: self.shop.account, device: self.shop.device, command: id };
        let shard = Queue::Shard(Shard::of(self.shop.device, SHARDS));
        self.tables.queue.send(shard, &vec![job; rings], Duration::ZERO).await.unwrap();
    }

    async fn answer(&self, id: CommandId) -> Outcome {
        self.until("an answer", async || self.shop.tenant.answer_of(id).await.unwrap()).await
    }

    /// How many questions about numbers came to the network.
    fn questions(&self) -> usize {
        let filter = StanzaFilter {
            tag: Some("iq".into()),
            direction: Some(StanzaDirection::In),
            phone: Some(SHOP.into()),
            ..StanzaFilter::default()
        };
        self.network().stanzas(&filter).iter().filter(|stanza| stanza.xml.contains("<contact")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_looked_up_and_a_job_that_comes_twice_asks_once() {
    let (world, _host) = World::linked().await;
    let Answer::Number(found) = world.ask(number(ALI)).await.unwrap();
    assert_eq!(found.as_ref().map(|person| person.jid.as_str()), Some("60123456789@s.whatsapp.net"));
    assert!(found.is_some_and(|person| person.lid.is_some()));
    assert_eq!(world.ask(number(NOBODY)).await.unwrap(), Answer::Number(None));
    assert_eq!(world.questions(), 2);
    let id = CommandId([1; 16]);
    world.command(id, number(ALI), 5).await;
    world.answer(id).await.unwrap();
    // Whatever jobs are left are behind this one.
    world.ask(number(NOBODY)).await.unwrap();
    assert_eq!(world.questions(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_not_logged_in_says_so_and_what_a_later_release_asks_is_refused() {
    let world = World::new().await;
    let _host = world.host().await;
    let asked = world.ask(number(ALI)).await;
    assert!(matches!(asked, Err(AskError::Failed(Failed::NotConnected))), "{asked:?}");
    let asked = world.ask(Ask::Unknown).await;
    assert!(matches!(asked, Err(AskError::Failed(Failed::Unsupported))), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_at_once_are_all_answered_and_only_so_many_reach_the_network() {
    let (world, _host) = World::linked().await;
    let ids: Vec<_> = (0..100_u8).map(|id| CommandId([id; 16])).collect();
    for id in &ids {
        world.command(*id, number(NOBODY), 1).await;
    }
    let mut found = 0;
    for id in ids {
        match world.answer(id).await {
            Ok(_) => found += 1,
            Err(Failed::TooMany | Failed::Busy) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((10..100).contains(&found), "{found}");
    assert_eq!(world.questions(), found);
    // Messages go on.
    world.send(ALI, "in between").await;
    assert_eq!(world.shown(1).await, ["in between"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_another_host_took_is_left_alone() {
    let (world, _host) = World::linked().await;
    let id = CommandId([9; 16]);
    let expires_at = world.tables.clock.now() + Duration::from_mins(1);
    let command = Command { id, device: world.shop.device, ask: number(ALI), expires_at };
    world.shop.tenant.put_command(&command).await.unwrap();
    world.shop.tenant.take_command(world.shop.device, id, Epoch(77)).await.unwrap().unwrap();
    world.command(id, number(ALI), 2).await;
    world.ask(number(NOBODY)).await.unwrap();
    assert_eq!((world.shop.tenant.answer_of(id).await.unwrap(), world.questions()), (None, 1));
}
