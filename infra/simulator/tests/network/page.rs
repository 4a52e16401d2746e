//! The pages, as a browser without scripts uses them.

use hantar_simulator::{Simulator, StanzaDirection, StanzaFilter};

use crate::light;
use crate::support::{http, simulator, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=edge";

async fn ann_and_ben() -> Simulator {
    let simulator = simulator().await;
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben")] {
        assert_eq!(http(&simulator, "POST", "/page/phones", FORM, &format!("phone={phone}&name={name}")).await.0, 303);
    }
    simulator
}

fn part(name: &str, value: &str) -> String {
    format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

async fn say(simulator: &Simulator, from: &str, to: &str, text: &str) -> u16 {
    let body = format!("{}{}--edge--\r\n", part("to", to), part("text", text));
    http(simulator, "POST", &format!("/page/phones/{from}/send"), PARTS, &body).await.0
}

async fn get(simulator: &Simulator, path: &str) -> (u16, String) {
    http(simulator, "GET", path, "text/plain", "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_show_phones_and_what_they_wrote_without_trusting_it() {
    let simulator = ann_and_ben().await;
    assert_eq!(say(&simulator, ANN, BEN, "<script>alert(1)</script>").await, 303);
    for path in ["/".to_owned(), format!("/phones/{BEN}"), format!("/phones/{BEN}/chats/{ANN}")] {
        let (status, page) = get(&simulator, &path).await;
        assert_eq!(status, 200, "{path}");
        assert!(page.contains("Ann") && page.contains("&lt;script&gt;alert"), "{path}: {page}");
        assert!(
            !page.contains("<script>") && !page.contains("style=\"") && !page.contains("onclick"),
            "{path}: {page}"
        );
        assert!(page.contains(r#"<a href="/source">"#), "{path}: {page}");
    }
    assert!(get(&simulator, "/source").await.1.contains("https://"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_reads_switches_off_and_writes_a_script_by_form() {
    let simulator = ann_and_ben().await;
    say(&simulator, ANN, BEN, "hello").await;
    let chat = format!("/phones/{BEN}/chats/{ANN}");
    assert!(get(&simulator, &chat).await.1.contains("bubble unread"));
    let read = format!("/page/phones/{BEN}/read");
    assert_eq!(http(&simulator, "POST", &read, FORM, &format!("peer={ANN}")).await.0, 303);
    assert!(!get(&simulator, &chat).await.1.contains("bubble unread"));

    let switch = format!("/page/phones/{BEN}/switch");
    assert_eq!(http(&simulator, "POST", &switch, FORM, "online=false").await.0, 303);
    assert!(!simulator.network().phone(BEN).unwrap().online);

    let script = format!("/page/phones/{BEN}/script");
    let json = "%7B%22rules%22%3A%5B%7B%22steps%22%3A%5B%7B%22do%22%3A%22read%22%7D%5D%7D%5D%7D";
    assert_eq!(http(&simulator, "POST", &script, FORM, &format!("script={json}")).await.0, 303);
    assert_eq!(simulator.network().script(BEN).unwrap().rules.len(), 1);
    assert!(get(&simulator, &format!("/phones/{BEN}/script")).await.1.contains("&quot;read&quot;"));
    assert_eq!(http(&simulator, "POST", &script, FORM, "script=nonsense").await.0, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_said_in_words() {
    let simulator = ann_and_ben().await;
    assert_eq!(http(&simulator, "POST", "/page/phones", FORM, "phone=1&name=x").await.0, 422);
    assert_eq!(say(&simulator, ANN, "60129999999", "hello").await, 422);
    assert_eq!(say(&simulator, ANN, BEN, "").await, 422);
    assert_eq!(get(&simulator, "/phones/60129999999").await.0, 404);
    let (status, page) = http(&simulator, "POST", "/page/scan", FORM, "qr=nonsense&phone=").await;
    assert!(status == 422 && page.contains("role=\"alert\""), "{page}");
    let no_picture = format!("{}{}--edge--\r\n", part("phone", ""), part("picture", "no picture"));
    let (status, page) = http(&simulator, "POST", "/page/scan-picture", PARTS, &no_picture).await;
    assert!(status == 422 && page.contains("not a PNG"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_scanned_from_its_text_and_from_a_picture_of_it() {
    let simulator = ann_and_ben().await;
    let address = simulator.address();
    let by_text = async |code: String| {
        let body = format!("phone={ANN}&qr={}", code.replace('+', "%2B").replace('=', "%3D").replace(',', "%2C"));
        assert_eq!(http(&simulator, "POST", "/page/scan", FORM, &body).await.0, 303);
        Ok(())
    };
    let by_picture = async |code: String| {
        let body = [part("phone", BEN).as_bytes(), &file("picture", &picture_of(&code)), b"--edge--\r\n"].concat();
        assert_eq!(upload(&simulator, "/page/scan-picture", body).await, 303);
        Ok(())
    };
    assert_eq!(within(light::pair(address, None, by_text)).await.unwrap().phone, ANN);
    assert_eq!(within(light::pair(address, None, by_picture)).await.unwrap().phone, BEN);
    let signed =
        StanzaFilter { tag: Some("iq".into()), direction: Some(StanzaDirection::In), ..StanzaFilter::default() };
    assert!(
        simulator.network().stanzas(&signed).iter().filter(|iq| iq.xml.contains("<pair-device-sign>")).count() >= 2
    );
}

fn picture_of(text: &str) -> Vec<u8> {
    const SCALE: usize = 5;
    let code = fast_qr::QRBuilder::new(text).build().unwrap();
    let side = (code.size + 8) * SCALE;
    let shade = |at: usize| {
        let (x, y) = (at % side / SCALE, at / side / SCALE);
        let inside = (4..code.size + 4).contains(&x) && (4..code.size + 4).contains(&y);
        if inside && code[y - 4][x - 4].value() { 0 } else { 255 }
    };
    let points: Vec<u8> = (0..side * side).map(shade).collect();
    let (mut bytes, side) = (Vec::new(), u32::try_from(side).unwrap());
    png::Encoder::new(&mut bytes, side, side).write_header().unwrap().write_image_data(&points).unwrap();
    bytes
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

async fn upload(simulator: &Simulator, path: &str, body: Vec<u8>) -> u16 {
    use http_body_util::Full;
    let stream = tokio::net::TcpStream::connect(simulator.address()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = hyper::Request::builder().method("POST").uri(path).header("host", "simulator");
    let request = request.header("content-type", PARTS).body(Full::new(hyper::body::Bytes::from(body))).unwrap();
    let status = sender.send_request(request).await.unwrap().status().as_u16();
    driver.abort();
    status
}
