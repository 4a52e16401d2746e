//! Files: companions upload and phones open them, phones send and companions download, and everything that goes
//! wrong on the way.

use hantar_simulator::{Attachment, Fault, FaultKind};
use hyper::body::Bytes;
use serde_json::Value;
use wacore::download::MediaType;
use waproto::whatsapp::Message;
use whatsapp_rust::media::{DocumentOptions, ImageOptions, document_message, image_message};
use whatsapp_rust::upload::UploadOptions;

use crate::support::{Companion, PATIENCE, admin, exchange, linked, pn, simulator};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

async fn image_event(companion: &Companion) -> Message {
    companion
        .event("image", |event| {
            let inbound = event.messages().find(|inbound| inbound.message.image_message.is_set())?;
            Some(Message::clone(&inbound.message))
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_opens_the_picture_and_the_document_a_companion_sent() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let content = noise(3_000);
    let upload = ann.client.upload(content.clone(), MediaType::Image, UploadOptions::default()).await.unwrap();
    let options = ImageOptions { caption: Some("the menu".into()), ..ImageOptions::default() };
    ann.client.send_message(pn(BEN), image_message(upload, options)).await.unwrap();
    let upload = ann.client.upload(content.clone(), MediaType::Document, UploadOptions::default()).await.unwrap();
    let options = DocumentOptions { file_name: Some("menu.pdf".into()), ..DocumentOptions::default() };
    ann.client.send_message(pn(BEN), document_message(upload, options)).await.unwrap();

    let shown = network.wait_for_messages(BEN, 2, PATIENCE).await.unwrap();
    assert_eq!((shown[0].kind.as_str(), shown[0].text.as_str()), ("image", "the menu"));
    let document = shown[1].media.as_ref().unwrap();
    assert_eq!((document.file_name.as_deref(), document.size, &document.problem), (Some("menu.pdf"), 3_000, &None));
    let path = document.path.clone().unwrap();
    let (status, bytes) = exchange(simulator.address(), "GET", &path, "text/plain", Bytes::new()).await;
    assert_eq!((status, bytes.to_vec()), (200, content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_downloads_the_picture_a_phone_sent() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let content = noise(70_000);
    network.phone_send_image(BEN, ANN, content.clone(), "look").unwrap();
    let message = image_event(&ann).await;
    let image = message.image_message.as_option().unwrap();
    assert_eq!(image.caption.as_deref(), Some("look"));
    assert_eq!(ann.client.download(image).await.unwrap(), content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_can_be_refused_truncated_and_corrupted_and_a_file_can_expire() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.phone_send_image(BEN, ANN, noise(500), "").unwrap();
    let message = image_event(&ann).await;
    let image = message.image_message.as_option().unwrap();
    for kind in [
        FaultKind::DownloadStatus { status: 404 },
        FaultKind::DownloadStatus { status: 410 },
        FaultKind::TruncatedMedia,
        FaultKind::CorruptedMedia,
    ] {
        let rule = network.add_fault(Fault::new(kind.clone())).unwrap();
        assert!(ann.client.download(image).await.is_err(), "{kind:?}");
        assert!(network.remove_fault(rule));
    }
    // A refusal for the token's sake makes the client ask for a new one.
    network.add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::DownloadStatus { status: 403 }) }).unwrap();
    assert_eq!(ann.client.download(image).await.unwrap(), noise(500));
    assert_eq!(network.expire_media(image.direct_path.as_deref()), 1);
    let error = ann.client.download(image).await.unwrap_err();
    assert!(error.to_string().contains("410"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_tried_again_with_a_new_token_and_goes_on_where_it_broke_off() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::UploadStatus { status: 401 }) }).unwrap();
    let first = ann.client.upload(noise(500), MediaType::Image, UploadOptions::default()).await;
    assert!(first.is_ok(), "{:?}", first.err());

    let token = "AAAA";
    let auth = base64::prelude::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, format!("{ANN}:33"));
    let path = format!("/mms/image/{token}?auth={auth}&token={token}");
    network.add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::UploadBreaks) }).unwrap();
    let whole = Bytes::from(noise(1_000));
    let post = async |path: String, body: Bytes| {
        let (status, answer) = exchange(simulator.address(), "POST", &path, "application/octet-stream", body).await;
        (status, serde_json::from_slice::<Value>(&answer).unwrap_or_default())
    };
    assert_eq!(post(path.clone(), whole.clone()).await.0, 503);
    let (_, progress) = post(format!("{path}&resume=1"), Bytes::new()).await;
    assert_eq!(progress["resume"], "500");
    let (status, done) = post(format!("{path}&file_offset=500"), whole.slice(500..)).await;
    assert_eq!(status, 200);
    let direct_path = done["direct_path"].as_str().unwrap().to_owned();
    let (_, progress) = post(format!("{path}&resume=1"), Bytes::new()).await;
    assert_eq!((&progress["resume"], &progress["direct_path"]), (&Value::from("complete"), &done["direct_path"]));
    let (status, bytes) = exchange(simulator.address(), "GET", &direct_path, "text/plain", Bytes::new()).await;
    assert_eq!((status, bytes), (200, whole));
    let (status, _) = post(format!("/mms/image/{token}?auth=nobody"), Bytes::new()).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_for_a_group_is_shown_on_every_members_phone() {
    let simulator = simulator().await;
    let network = simulator.network();
    for phone in [ANN, BEN] {
        network.create_phone(phone, "Somebody").unwrap();
    }
    let group = network.create_group(ANN, "Pictures", &[BEN.to_owned()]).unwrap();
    let voice = Attachment {
        kind: "voice".into(),
        bytes: noise(100),
        mime: "audio/ogg; codecs=opus".into(),
        caption: String::new(),
        file_name: None,
        view_once: false,
    };
    network.send_file(ANN, &group.jid, &voice).unwrap();
    let shown = network.messages(BEN).unwrap();
    assert_eq!((shown[0].kind.as_str(), shown[0].media.as_ref().unwrap().size), ("voice", 100));
    let body = format!(r#"{{"to":"{BEN}","kind":"document","base64":"aGk=","file_name":"hi.txt"}}"#);
    let (status, sent) = admin(&simulator, "POST", &format!("/admin/phones/{ANN}/send-file"), &body).await;
    assert_eq!(status, 202, "{sent}");
    let (status, _) =
        admin(&simulator, "POST", &format!("/admin/phones/{ANN}/send-file"), r#"{"to":"1","kind":"x","base64":""}"#)
            .await;
    assert_eq!(status, 422);
}
