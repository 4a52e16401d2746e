//! Every kind of content passes; phones understand reactions, edits, revocations, polls and view-once.

use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp::{Message, MessageKey};
use whatsapp_rust::RevokeType;

use crate::support::{Companion, PATIENCE, linked, pn, simulator, text};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

/// The next message `pick` takes, with its stanza id.
async fn message<T>(companion: &Companion, what: &str, pick: impl Fn(&Message) -> Option<T>) -> (String, T) {
    let found = companion.event(what, |event| {
        event.messages().find_map(|inbound| Some((inbound.info.id.clone(), pick(inbound.message.get_base_message())?)))
    });
    found.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_reacts_edits_and_revokes_and_the_phone_shows_it() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let asked = network.send_text(BEN, ANN, "coming?").unwrap();
    ann.texts(1).await;
    let key = MessageKey {
        remote_jid: Some(pn(BEN).to_string()),
        from_me: Some(false),
        id: Some(asked.clone()),
        ..Default::default()
    };
    ann.client.send_reaction(pn(BEN), key, "👍").await.unwrap();
    let own = ann.send(BEN, "maybe").await;
    ann.client.edit_message(pn(BEN), own.clone(), text("yes")).await.unwrap();
    network.wait_for_messages(BEN, 3, PATIENCE).await.unwrap();
    let shown = network.messages(BEN).unwrap();
    let find = |id: &str| shown.iter().find(|message| message.id == id).unwrap();
    assert_eq!(find(&asked).reactions.get(ANN).map(String::as_str), Some("👍"));
    assert_eq!((find(&own).text.as_str(), find(&own).edited), ("yes", true));

    ann.client.revoke_message(pn(BEN), own.clone(), RevokeType::Sender).await.unwrap();
    network.wait_for_messages(BEN, 4, PATIENCE).await.unwrap();
    let shown = network.messages(BEN).unwrap();
    assert!(shown.iter().any(|message| message.id == own && message.revoked));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_reacts_edits_and_revokes_and_the_companion_sees_it() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let offered = ann.send(BEN, "lunch?").await;
    network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    network.react(BEN, &offered, "🍜").unwrap();
    let reaction = |message: &Message| {
        let reaction = message.reaction_message.as_option()?;
        Some((reaction.key.as_option()?.id.clone()?, reaction.text.clone()?))
    };
    assert_eq!(message(&ann, "reaction", reaction).await.1, (offered, "🍜".to_owned()));

    let said = network.send_text(BEN, ANN, "at noon").unwrap();
    network.edit_message(BEN, &said, "at one").unwrap();
    let edit = |message: &Message| {
        let protocol = message.protocol_message.as_option()?;
        let text = protocol.edited_message.as_option()?.conversation.clone()?;
        Some((protocol.key.as_option()?.id.clone()?, text))
    };
    assert_eq!(message(&ann, "edit", edit).await.1, (said.clone(), "at one".to_owned()));
    network.revoke_message(BEN, &said).unwrap();
    let revoke = |message: &Message| {
        let protocol = message.protocol_message.as_option().filter(|protocol| !protocol.edited_message.is_set())?;
        protocol.key.as_option()?.id.clone()
    };
    assert_eq!(message(&ann, "revocation", revoke).await.1, said);
    let error = network.edit_message(BEN, "nothing", "x").unwrap_err();
    assert!(error.to_string().starts_with("id "), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_are_read_on_both_sides_of_a_poll() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let options: Vec<String> = ["rice", "noodles"].map(str::to_owned).into();
    let (sent, secret) = ann.client.polls().create(pn(BEN), "Lunch?", &options, 1).await.unwrap();
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!((shown[0].kind.as_str(), shown[0].text.as_str()), ("poll", "Lunch?"));
    assert_eq!(shown[0].options.len(), 2);
    network.vote(BEN, &sent.message_id, &["noodles".to_owned()]).unwrap();
    let vote = |message: &Message| {
        let vote = message.poll_update_message.as_option()?.vote.as_option()?;
        Some((vote.enc_payload.clone()?, vote.enc_iv.clone()?))
    };
    let (_, (payload, iv)) = message(&ann, "vote", vote).await;
    let (creator, voter) = (ann.client.lid().unwrap().to_non_ad(), network.phone(BEN).unwrap().lid);
    let sealed = wacore::poll::PollVoteCiphertext { enc_payload: &payload, enc_iv: &iv };
    let voter = format!("{voter}@lid");
    let chosen =
        wacore::poll::decrypt_poll_vote_with_secret(sealed, &secret, &sent.message_id, &creator.to_string(), &voter);
    assert_eq!(chosen.unwrap(), [wacore::poll::compute_option_hash("noodles").to_vec()]);

    let asked = network.send_poll(BEN, ANN, "Tea?", &options, true).unwrap();
    let poll = |message: &Message| message.poll_creation_message_v3.is_set().then_some(());
    message(&ann, "poll", poll).await;
    let votes = network.messages(BEN).unwrap().into_iter().find(|message| message.id == asked).unwrap().votes;
    assert!(votes.is_empty());
    network.vote(ANN, &asked, &["rice".to_owned()]).unwrap();
    let polls = network.messages(BEN).unwrap();
    let poll = polls.iter().find(|message| message.id == asked).unwrap();
    assert_eq!(poll.votes.get(ANN), Some(&vec!["rice".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_content_passes_and_the_phone_names_it() {
    use buffa::MessageField;
    use waproto::whatsapp::message::{
        ContactMessage, FutureProofMessage, ImageMessage, ListMessage, LiveLocationMessage, LocationMessage,
        StickerMessage,
    };
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let none = Message::default;
    let image = Message { image_message: MessageField::some(ImageMessage::default()), ..none() };
    let once = FutureProofMessage { message: MessageField::some(image) };
    let named = |name: &str| Some(name.to_owned());
    let contact =
        ContactMessage { display_name: named("Eve"), vcard: named("BEGIN:VCARD\nEND:VCARD"), ..Default::default() };
    let place = LocationMessage { degrees_latitude: Some(3.1), degrees_longitude: Some(101.7), ..Default::default() };
    let table = [
        ("contact", Message { contact_message: MessageField::some(contact), ..none() }),
        ("location", Message { location_message: MessageField::some(place), ..none() }),
        (
            "live_location",
            Message { live_location_message: MessageField::some(LiveLocationMessage::default()), ..none() },
        ),
        ("sticker", Message { sticker_message: MessageField::some(StickerMessage::default()), ..none() }),
        ("list", Message { list_message: MessageField::some(ListMessage::default()), ..none() }),
        ("image", Message { view_once_message_v2: MessageField::some(once), ..none() }),
    ];
    for (count, (kind, message)) in table.into_iter().enumerate() {
        let id = ann.client.send_message(pn(BEN), message).await.unwrap().message_id;
        assert_eq!(ann.ack(&id).await.error, None, "{kind}");
        let shown = network.wait_for_messages(BEN, count + 1, PATIENCE).await.unwrap();
        assert_eq!(shown.last().map(|message| message.kind.as_str()), Some(kind));
        assert_eq!(shown.last().unwrap().view_once, kind == "image");
    }
}
