//! Files that are lost and found again, that take their time, that may be seen once, and that outlive a restart.

use hantar_simulator::{Attachment, Fault, FaultKind};
use hyper::body::Bytes;
use wacore::download::MediaType;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::ImageMessage;
use whatsapp_rust::MediaRetryResult;
use whatsapp_rust::media::{ImageOptions, image_message};
use whatsapp_rust::types::events::{Event, UnavailableType};
use whatsapp_rust::upload::UploadOptions;

use crate::support::{Companion, PATIENCE, advance, exchange, freeze, linked, pn, simulator, simulator_keeping};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

/// The next picture, with its stanza id.
async fn picture(companion: &Companion) -> (String, ImageMessage) {
    let image = |event: &Event| {
        let found = event.messages().find(|inbound| inbound.message.image_message.is_set())?;
        Some((found.info.id.clone(), found.message.image_message.as_option()?.clone()))
    };
    companion.event("picture", image).await
}

fn reupload<'a>(id: &'a str, chat: &'a whatsapp_rust::Jid, key: &'a [u8]) -> whatsapp_rust::MediaReuploadRequest<'a> {
    whatsapp_rust::MediaReuploadRequest {
        msg_id: id,
        chat_jid: chat,
        media_key: key,
        is_from_me: false,
        participant: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_uploads_again_what_expired_and_says_so_when_it_does_not_have_it() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.phone_send_image(BEN, ANN, noise(900), "look").unwrap();
    let (id, mut image) = picture(&ann).await;
    network.expire_media(None);
    assert!(ann.client.download(&image).await.is_err());
    let (chat, key) = (pn(BEN), image.media_key.clone().unwrap());
    let answer = ann.client.media_reupload().request(&reupload(&id, &chat, &key)).await.unwrap();
    let MediaRetryResult::Success { direct_path } = answer else { panic!("{answer:?}") };
    image.direct_path = Some(direct_path);
    image.url = None;
    assert_eq!(ann.client.download(&image).await.unwrap(), noise(900));

    let unknown = ann.client.media_reupload().request(&reupload("3A00", &chat, &key)).await.unwrap();
    assert!(matches!(unknown, MediaRetryResult::NotFound), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_cannot_be_fetched_is_told_anew() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(ANN, "Ann").unwrap();
    network.create_phone(BEN, "Ben").unwrap();
    for n in 0..200 {
        network.send_text(BEN, ANN, &format!("before the companion {n}")).unwrap();
    }
    let lost = Fault { count: Some(1), ..Fault::new(FaultKind::DownloadStatus { status: 404 }) };
    network.add_fault(lost).unwrap();
    let ann = linked(&simulator, ANN).await;
    let history = |event: &Event| match event {
        Event::HistorySync(history) => history.get().map(|history| history.conversations.len()),
        _ => None,
    };
    assert_eq!(ann.event("history", history).await, 1);
    assert!(network.faults().is_empty(), "the first one was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_media_take_their_time_both_ways_and_arrive() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.phone_send_image(BEN, ANN, noise(500), "").unwrap();
    let (_, image) = picture(&ann).await;
    freeze(network);
    network.add_fault(Fault::new(FaultKind::SlowMedia { ms: 60_000 })).unwrap();
    let client = std::sync::Arc::clone(&ann.client);
    let mut slow = tokio::spawn(async move { client.download(&image).await });
    assert!(tokio::time::timeout(crate::support::SILENCE, &mut slow).await.is_err(), "it is not there yet");
    advance(network, 60_000);
    assert_eq!(slow.await.unwrap().unwrap(), noise(500));

    let client = std::sync::Arc::clone(&ann.client);
    let mut slow =
        tokio::spawn(async move { client.upload(noise(500), MediaType::Image, UploadOptions::default()).await });
    assert!(tokio::time::timeout(crate::support::SILENCE, &mut slow).await.is_err(), "it is not taken yet");
    advance(network, 60_000);
    slow.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_seen_once_is_for_phones_and_companions_learn_that_it_came() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let group = network.create_group(BEN, "Pictures", &[ANN.to_owned()]).unwrap().jid;
    let once = Attachment {
        kind: "image".into(),
        bytes: noise(300),
        mime: "image/jpeg".into(),
        caption: "burn this".into(),
        file_name: None,
        view_once: true,
    };
    for to in [ANN, &group] {
        let id = network.send_file(BEN, to, &once).unwrap();
        let withheld = |event: &Event| match event {
            Event::UndecryptableMessage(message) => Some((message.info.id.clone(), message.unavailable_type)),
            _ => None,
        };
        let (told, kind) = ann.event("placeholder", withheld).await;
        assert_eq!(told, id);
        assert!(matches!(kind, UnavailableType::ViewOnce), "{kind:?}");
        let shown = network.messages(ANN).unwrap().pop().unwrap();
        assert_eq!((shown.id, shown.view_once, shown.media.unwrap().size), (id.clone(), true, 300));
        assert_eq!(network.mark_played(ANN, &[id]).unwrap(), 1);
    }
    assert!(network.send_file(BEN, ANN, &Attachment { kind: "document".into(), ..once }).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_outlive_a_restart_and_those_that_expired_stay_expired() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.json");
    let simulator = simulator_keeping(Some(file.clone())).await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let upload = ann.client.upload(noise(800), MediaType::Image, UploadOptions::default()).await.unwrap();
    let direct_path = upload.direct_path.clone();
    ann.client.send_message(pn(BEN), image_message(upload, ImageOptions::default())).await.unwrap();
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    let opened = shown[0].media.as_ref().unwrap().path.clone().unwrap();
    let expired = ann.client.upload(noise(700), MediaType::Image, UploadOptions::default()).await.unwrap().direct_path;
    network.expire_media(Some(&expired));
    ann.client.disconnect().await;
    simulator.shutdown().await;

    let simulator = simulator_keeping(Some(file)).await;
    let get = async |path: &str| exchange(simulator.address(), "GET", path, "text/plain", Bytes::new()).await;
    assert_eq!(get(&opened).await, (200, Bytes::from(noise(800))));
    assert_eq!((get(&direct_path).await.0, get(&expired).await.0), (200, 410));
    let again = simulator.network().messages(BEN).unwrap();
    assert_eq!(again[0].media.as_ref().unwrap().path.as_ref(), Some(&opened));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_companion_gets_the_pictures_of_its_history_too() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(ANN, "Ann").unwrap();
    network.create_phone(BEN, "Ben").unwrap();
    network.phone_send_image(BEN, ANN, noise(600), "before the companion").unwrap();
    let ann = linked(&simulator, ANN).await;
    let image = |event: &Event| match event {
        Event::HistorySync(history) => {
            let told = history.get()?.conversations.first()?.messages.first()?.message.as_option()?.clone();
            let message: Message = told.message.as_option()?.clone();
            message.image_message.as_option().cloned()
        }
        _ => None,
    };
    let image = ann.event("history", image).await;
    assert_eq!(image.caption.as_deref(), Some("before the companion"));
    assert_eq!(ann.client.download(&image).await.unwrap(), noise(600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_upload_that_broke_off_goes_on_when_the_client_tries_again_with_the_same_key() {
    const LARGE: usize = 6 << 20;
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::UploadBreaks) }).unwrap();
    let upload = || ann.client.upload(noise(LARGE), MediaType::Image, UploadOptions::new().with_media_key([5; 32]));
    assert!(upload().await.is_err());
    let done = upload().await.unwrap();
    assert_eq!(network.counts()["uploads_resumed"], 1);
    ann.client.send_message(pn(BEN), image_message(done, ImageOptions::default())).await.unwrap();
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    let media = shown[0].media.as_ref().unwrap();
    assert_eq!((media.size, &media.problem), (LARGE, &None));
}
