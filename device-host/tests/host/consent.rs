//! The last look before the wire: who opted out since, and rows of campaigns that are over.

use hantar_domain::consent::{Consent, Said, Source};
use hantar_domain::ids::{CampaignId, MessageId, StanzaId};
use hantar_domain::message::{Lane, Message, State};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Acceptance, Accepted, Sequence};

use crate::world::{ALI, World};

/// Ali is known not to want any more.
async fn opt_out(world: &World) {
    let phone = PhoneNumber::from_e164(ALI).unwrap();
    let at = world.tables.clock.now();
    let entry = Consent { phone, said: Said::Out, source: Source::Import, note: None, at, turned: false };
    world.shop.tenant.consents().note_consent(&entry, "i1", None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_opted_out_since_is_not_written_to_and_the_credit_comes_back() {
    let (world, host) = World::linked().await;
    host.drain().await;
    let single = world.accept(ALI, "an offer", false).await;
    let row = world.accept(ALI, "a row", true).await;
    let other = world.accept(ALI, "another row", true).await;
    opt_out(&world).await;
    let _host = world.host().await;
    for id in [single, row, other] {
        let message = world.message_until(id, State::Failed).await;
        assert_eq!((message.reason(), message.refunded), (Some("opted_out"), true));
        assert!(world.stanzas_of(id).await.is_empty());
    }
    assert_eq!(world.shop.tenant.balance().await.unwrap().available, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_although_its_recipient_opted_out() {
    let (world, _host) = World::linked().await;
    world.network().send_text(ALI, crate::world::SHOP, "when do you close?").unwrap();
    world.until("the question", async || world.received().await.pop()).await;
    opt_out(&world).await;
    let id = world.send(ALI, "at nine").await;
    assert_eq!(world.message(id).await.lane, Lane::Reply);
    world.message_until(id, State::Delivered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_campaign_that_is_not_there_is_cancelled_and_holds_up_nobody() {
    let (world, host) = World::linked().await;
    host.drain().await;
    let before = world.message(world.accept(ALI, "a row of nothing", true).await).await;
    let id = MessageId(world.tables.numbers.next(Sequence::Messages(world.shop.account)).await.unwrap());
    let stanza = StanzaId::for_message(&world.shop.device().await.stanza_key, id);
    let message = Message { id, stanza, campaign: Some(CampaignId(9)), ..before.clone() };
    let accepted = world.shop.tenant.accept(&Acceptance { message, idempotency: None }).await.unwrap();
    assert_eq!(accepted, Accepted::Stored);
    let _host = world.host().await;
    let cancelled = world.message_until(id, State::Cancelled).await;
    assert!(cancelled.refunded);
    assert!(world.stanzas_of(id).await.is_empty());
    world.message_until(before.id, State::Delivered).await;
}
