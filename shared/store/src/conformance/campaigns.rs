//! Campaigns: started once and paid, moved on by one at a time, counted once.

use std::collections::BTreeMap;

use hantar_domain::campaign::{
    Campaign, Chunk, Claim, Cursor, Fate, Order, Progress, Recipient, RecipientKey, Rejected, Rejection, Source,
    Spread, Standing, Status, Watch,
};
use hantar_domain::ids::{CampaignId, MessageId};
use hantar_domain::message::{Message, State};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{CampaignDifferences, MessageFilter, Ordered, Started, StateCounts};

use super::world::{Home, World};

fn campaign(home: &Home, id: u64, bound: u64) -> Campaign {
    let at = home.now();
    Campaign {
        account: home.account,
        id: CampaignId(id),
        name: "Sale".into(),
        template: None,
        body: "Hi {{name}}".into(),
        group: None,
        devices: vec![home.device],
        scheduled_at: None,
        per_minute: None,
        status: Status::Running,
        reason: None,
        first: MessageId(1_000 * id),
        price: 1,
        progress: Progress::of(bound),
        cursor: Cursor { source: Source::List(0), chunk: 0 },
        claim: Claim::default(),
        paced_until: None,
        watch: Watch::default(),
        created_at: at,
        started_at: Some(at),
        ended_at: None,
        updated_at: at,
    }
}

fn recipient(number: u64) -> Recipient {
    let fields = BTreeMap::from([("plan".to_owned(), "gold".to_owned())]);
    let phone = PhoneNumber::from_e164(&format!("6012{number:07}")).unwrap();
    Recipient { phone, name: Some(format!("Ali {number}")), fields, contact: None }
}

/// So many recipients, and one who is rejected.
fn chunk(of: &Campaign, recipients: u64, next: Source) -> Chunk {
    let first = of.progress.accepted;
    let rejected = Rejected {
        position: of.progress.seen(),
        phone: "no number".into(),
        reason: Rejection::MissingField,
        field: Some("plan".into()),
    };
    Chunk {
        number: of.cursor.chunk,
        first,
        recipients: (first..first + recipients).map(recipient).collect(),
        rejected: vec![rejected],
        next,
    }
}

async fn seen(home: &Home, id: u64) -> Campaign {
    home.tenant.campaigns().campaign(CampaignId(id)).await.unwrap().unwrap()
}

/// A campaign with so many recipients, all known.
async fn expanded(home: &Home, id: u64, recipients: u64) -> Campaign {
    let campaigns = home.tenant.campaigns();
    let started = campaign(home, id, recipients + 3);
    assert_eq!(campaigns.start(&started, None).await.unwrap(), Started::New);
    assert!(campaigns.take(&started, &chunk(&started, recipients, Source::End)).await.unwrap());
    assert!(campaigns.close(&seen(home, id).await, home.now()).await.unwrap());
    seen(home, id).await
}

/// Claims so many more.
async fn claimed(home: &Home, of: &Campaign, rows: u64) -> Campaign {
    let claim = Claim { at: home.now(), spread: Spread(vec![(home.device, rows)]), chunk: of.claim.chunk };
    let to = of.progress.claimed + rows;
    assert!(home.tenant.campaigns().claim(of, to, &claim, None, of.watch).await.unwrap());
    seen(home, of.id.0).await
}

async fn messages(home: &Home, of: &Campaign) -> Vec<Message> {
    let device = home.tenant.device(home.device).await.unwrap().unwrap();
    let rows = home.tenant.campaigns().claimed(of).await.unwrap().recipients;
    let ordinals = of.progress.done..;
    ordinals.zip(&rows).map(|(ordinal, row)| of.message(&device, ordinal, row.as_ref(), of.claim.at)).collect()
}

/// All of it, or nothing.
pub async fn a_campaign_is_started_once_and_paid(world: World) {
    let home = world.home(100).await;
    let campaigns = home.tenant.campaigns();
    let (one, key) = (campaign(&home, 1, 40), home.key(1, 1));
    assert_eq!(campaigns.start(&one, Some(&key)).await.unwrap(), Started::New);
    assert_eq!(seen(&home, 1).await, one);
    let two = campaign(&home, 2, 40);
    assert_eq!(campaigns.start(&two, Some(&key)).await.unwrap(), Started::Replayed(Box::new(one.clone())));
    assert_eq!(campaigns.start(&two, Some(&home.key(1, 2))).await.unwrap(), Started::KeyReused);
    assert_eq!(campaigns.started_by(&key, home.now()).await.unwrap(), Some(Some(one.clone())));
    assert_eq!(campaigns.started_by(&home.key(1, 2), home.now()).await.unwrap(), Some(None));
    assert_eq!(campaigns.started_by(&home.key(9, 9), home.now()).await.unwrap(), None);
    assert_eq!(campaigns.start(&campaign(&home, 3, 61), None).await.unwrap(), Started::Refused { balance: 60 });
    assert_eq!(campaigns.campaign(CampaignId(3)).await.unwrap(), None);
    assert_eq!(campaigns.start(&two, None).await.unwrap(), Started::New);
    let listed = |campaigns: Vec<Campaign>| campaigns.into_iter().map(|one| one.id.0).collect::<Vec<_>>();
    assert_eq!(listed(campaigns.list(None, 10).await.unwrap()), [2, 1]);
    assert_eq!(listed(campaigns.list(Some(CampaignId(2)), 10).await.unwrap()), [1]);
    assert_eq!(campaigns.list(None, 1).await.unwrap(), [two]);
    home.has(20, 80, 0).await;
}

/// A chunk comes in behind the one before it, and never again.
pub async fn recipients_are_taken_in_chunk_by_chunk(world: World) {
    let home = world.home(100).await;
    let campaigns = home.tenant.campaigns();
    let first = campaign(&home, 1, 100);
    campaigns.start(&first, None).await.unwrap();
    let part = chunk(&first, 97, Source::List(7));
    assert!(campaigns.take(&first, &part).await.unwrap());
    assert!(!campaigns.take(&first, &part).await.unwrap(), "a repeat");
    let second = seen(&home, 1).await;
    assert_eq!(second.cursor, Cursor { source: Source::List(7), chunk: 1 });
    assert_eq!((second.progress.accepted, second.progress.rejected_in_all()), (97, 1));
    let keys: Vec<_> = [0, 50, 98].map(|number| RecipientKey::of(&recipient(number).phone)).into();
    assert_eq!(campaigns.known(second.id, &keys).await.unwrap(), keys[..2].iter().copied().collect());
    assert!(campaigns.take(&second, &chunk(&second, 1, Source::End)).await.unwrap());
    let third = seen(&home, 1).await;
    home.has(0, 100, 0).await;
    assert!(!campaigns.close(&second, home.now()).await.unwrap(), "it was seen before the last chunk");
    assert!(campaigns.close(&third, home.now()).await.unwrap());
    assert!(!campaigns.close(&third, home.now()).await.unwrap(), "a repeat");
    home.has(2, 100, 2).await;
    let closed = seen(&home, 1).await;
    assert!(closed.progress.expanded && closed.progress.released == 2);
    assert!(!campaigns.take(&closed, &chunk(&closed, 1, Source::End)).await.unwrap(), "it is closed");
}

/// One claim at a time, and only while the campaign runs.
pub async fn messages_are_claimed_by_one_and_made_once(world: World) {
    let home = world.home(100).await;
    let campaigns = home.tenant.campaigns();
    let start = expanded(&home, 1, 30).await;
    let first = claimed(&home, &start, 20).await;
    assert!(!campaigns.claim(&start, 10, &first.claim, None, first.watch).await.unwrap(), "somebody has claimed");
    assert!(!campaigns.claim(&first, 30, &first.claim, None, first.watch).await.unwrap(), "they are not made");
    let made = messages(&home, &first).await;
    assert_eq!((made.len(), made[0].body.as_str()), (20, "Hi Ali 0"));
    campaigns.put_rows(&made[..5]).await.unwrap();
    home.tenant.cancel(made[0].id, None, home.now()).await.unwrap();
    campaigns.put_rows(&made).await.unwrap();
    assert_eq!(home.message(made[0].id).await.state, State::Cancelled, "what is there stays as it is");
    let line: Vec<_> = campaigns.turns(home.device, 100).await.unwrap().iter().map(|turn| turn.message).collect();
    assert_eq!(line, made[1..].iter().map(|message| message.id).collect::<Vec<_>>());
    assert!(campaigns.made(&first, 0).await.unwrap());
    assert!(!campaigns.made(&first, 0).await.unwrap(), "a repeat");
    let second = seen(&home, 1).await;
    assert!(!campaigns.claim(&second, 31, &second.claim, None, second.watch).await.unwrap(), "there are only 30");
    let rest = claimed(&home, &second, 10).await;
    assert_eq!(messages(&home, &rest).await[9].id, MessageId(1_029));

    let within = Some((MessageId(1_000), MessageId(1_010)));
    home.accepted().await;
    let filter = MessageFilter { within, ..MessageFilter::default() };
    let page = home.tenant.list_messages(&filter, None, 100).await.unwrap();
    assert_eq!(page.messages.iter().map(|one| one.id.0).collect::<Vec<_>>(), (1_000..1_010).rev().collect::<Vec<_>>());
    let page = home.tenant.list_messages(&filter, Some(MessageId(1_000)), 100).await.unwrap();
    assert!(page.messages.is_empty() && page.older.is_none());
}

/// What was asked for twice happens once.
pub async fn orders_move_a_campaign_and_a_key_answers_again(world: World) {
    let home = world.home(100).await;
    let campaigns = home.tenant.campaigns();
    let start = expanded(&home, 1, 10).await;
    let id = start.id;
    let standing = || async { campaigns.standings(&[id, CampaignId(9)]).await.unwrap() };
    assert_eq!(standing().await, BTreeMap::from([(id, Standing::Running), (CampaignId(9), Standing::Over)]));
    let key = home.key(5, 5);
    for _ in 0..2 {
        let Ordered::Done(paused) = campaigns.order(id, Order::Pause, Some(&key), home.now()).await.unwrap() else {
            panic!("not paused")
        };
        assert_eq!(paused.status, Status::Paused);
    }
    assert_eq!(standing().await[&id], Standing::Paused);
    assert_eq!(campaigns.order(id, Order::Pause, Some(&home.key(5, 6)), home.now()).await.unwrap(), Ordered::KeyReused);
    assert_eq!(campaigns.order(CampaignId(9), Order::Pause, None, home.now()).await.unwrap(), Ordered::Missing);
    let claim = Claim { at: home.now(), spread: Spread(vec![(home.device, 1)]), chunk: 0 };
    assert!(!campaigns.claim(&start, 1, &claim, None, start.watch).await.unwrap(), "it is paused");
    campaigns.order(id, Order::Resume, None, home.now()).await.unwrap();
    let running = seen(&home, 1).await;
    assert!(campaigns.turn(&running, Status::Paused, Some("banned"), home.now()).await.unwrap());
    let paused = seen(&home, 1).await;
    assert_eq!((running.status, paused.reason.as_deref()), (Status::Running, Some("banned")));
    assert!(!campaigns.turn(&running, Status::Completed, None, home.now()).await.unwrap(), "it was seen running");
    campaigns.order(id, Order::Cancel, None, home.now()).await.unwrap();
    let cancelling = seen(&home, 1).await;
    assert_eq!((cancelling.status, cancelling.reason.as_deref()), (Status::Cancelling, None));
    let ordered = campaigns.order(id, Order::Resume, None, home.now()).await.unwrap();
    assert!(matches!(ordered, Ordered::TooLate(_)), "{ordered:?}");
    assert_eq!(standing().await[&id], Standing::Over);
}

/// Money and messages agree whoever was faster.
pub async fn what_is_taken_back_is_paid_back_once(world: World) {
    let home = world.home(100).await;
    let campaigns = home.tenant.campaigns();
    let first = claimed(&home, &expanded(&home, 1, 30).await, 20).await;
    let made = messages(&home, &first).await;
    campaigns.put_rows(&made[..5]).await.unwrap();
    campaigns.order(first.id, Order::Cancel, None, home.now()).await.unwrap();
    let cancelling = seen(&home, 1).await;
    assert!(campaigns.release(&cancelling, home.now()).await.unwrap());
    assert!(!campaigns.release(&cancelling, home.now()).await.unwrap(), "a repeat");
    home.has(80, 33, 13).await;
    for _ in 0..2 {
        campaigns.block_rows(&made, home.now()).await.unwrap();
        home.has(100, 33, 33).await;
    }
    campaigns.put_rows(&made).await.unwrap();
    for message in &made {
        assert_eq!(home.message(message.id).await.state, State::Cancelled);
    }
    assert!(campaigns.turns(home.device, 100).await.unwrap().is_empty());
    let over = seen(&home, 1).await;
    assert!(campaigns.turn(&over, Status::Cancelled, None, home.now()).await.unwrap());
    let results = campaigns.results(&seen(&home, 1).await, None, 100).await.unwrap();
    let fates = |wanted: fn(&Fate) -> bool| results.rows.iter().filter(|row| wanted(&row.fate)).count();
    assert_eq!((results.rows.len(), results.next), (31, None));
    assert_eq!(fates(|fate| matches!(fate, Fate::Message(_))), 20);
    assert_eq!((fates(|fate| *fate == Fate::Never), fates(|fate| matches!(fate, Fate::Rejected { .. }))), (10, 1));
    let first = campaigns.results(&over, None, 25).await.unwrap();
    let second = campaigns.results(&over, first.next, 25).await.unwrap();
    assert_eq!((first.rows.len(), second.rows.len(), second.next), (25, 6, None));
}

/// The mark and the counts are one.
pub async fn a_campaigns_counts_move_with_their_mark(world: World) {
    let home = world.home(1).await;
    let (campaigns, id) = (home.tenant.campaigns(), CampaignId(1));
    assert_eq!(campaigns.counted_through(id, "s1").await.unwrap(), None);
    let states = BTreeMap::from([(State::Queued, 3), (State::Failed, 2)]);
    let batch = CampaignDifferences { states, refused: 1 };
    assert!(campaigns.add_counts(id, "s1", None, 7, &batch).await.unwrap());
    assert!(!campaigns.add_counts(id, "s1", None, 7, &batch).await.unwrap());
    let moved = CampaignDifferences { states: BTreeMap::from([(State::Queued, -3), (State::Sent, 3)]), refused: 0 };
    assert!(campaigns.add_counts(id, "s1", Some(7), 9, &moved).await.unwrap());
    assert_eq!(campaigns.counted_through(id, "s1").await.unwrap(), Some(9));
    let counts = campaigns.counts(id).await.unwrap();
    assert_eq!(counts.states, BTreeMap::from([(State::Sent, 3), (State::Failed, 2)]));
    assert_eq!(counts.watch(), Watch { answered: 4, refused: 1 });
    let several = campaigns.counts_of(&[id, CampaignId(2)]).await.unwrap();
    assert_eq!(several, BTreeMap::from([(id, counts)]));
    assert_eq!(home.tenant.state_counts().await.unwrap(), StateCounts::default());
}
