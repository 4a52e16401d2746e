//! A companion that speaks the protocol and does nothing by itself: it pairs, logs in, and then sends what it is told
//! to and shows what comes. Tests use it where a real client would answer behind their back, the load example because
//! ten thousand of it are light.

use std::net::SocketAddr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::BytesMut;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_binary::{Jid, Node, NodeContent, Server, marshal, util};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::framing::{FrameDecoder, encode_frame};
use wacore_noise::{IkHandshakeState, IkServerHelloOutcome, NoiseCipher, XxHandshakeState};
use waproto::whatsapp::client_payload::DevicePairingRegistrationData;
use waproto::whatsapp::{ADVSignedDeviceIdentityHMAC, ClientPayload};
use whatsapp_rust::anyhow::{Context as _, Result, bail};

/// Small: a companion of these tests says little at a time.
const BUFFER: usize = 4 << 10;

/// Who a paired companion is.
#[derive(Clone)]
pub(crate) struct Identity {
    noise: KeyPair,
    /// The server's key, as the first handshake showed it.
    server: [u8; 32],
    pub(crate) phone: String,
    pub(crate) lid: String,
    pub(crate) device: u16,
}

/// An open connection after its handshake.
pub(crate) struct Light {
    socket: WebSocketStream<TcpStream>,
    frames: FrameDecoder,
    read: NoiseCipher,
    write: NoiseCipher,
    read_count: u32,
    write_count: u32,
}

fn new_key() -> KeyPair {
    KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>())
}

/// Pairs a new companion; `scan` gets the text of its QR code. Without a push name, a new account is made.
pub(crate) async fn pair<S: Future<Output = Result<()>>>(
    address: SocketAddr,
    push_name: Option<&str>,
    scan: impl FnOnce(String) -> S,
) -> Result<Identity> {
    let (newcomer, code) = Newcomer::begin(address, push_name).await?;
    scan(code).await?;
    newcomer.finish().await
}

/// A client that shows a QR code and is no companion yet.
pub(crate) struct Newcomer {
    pub(crate) light: Light,
    server: [u8; 32],
    pub(crate) noise: KeyPair,
    pub(crate) identity: KeyPair,
}

impl Newcomer {
    /// Connects, and gives the text of the QR code.
    pub(crate) async fn begin(address: SocketAddr, push_name: Option<&str>) -> Result<(Self, String)> {
        let (noise, identity, signed, secret) = (new_key(), new_key(), new_key(), new_key());
        let signature = identity
            .calculate_signature(&signed.public_key.serialize(), &mut rand::make_rng::<rand::rngs::StdRng>())?;
        let registration = DevicePairingRegistrationData {
            e_regid: Some(vec![0, 0, 0x12, 0x34]),
            e_keytype: Some(vec![5]),
            e_ident: Some(identity.public_key.public_key_bytes().to_vec()),
            e_skey_id: Some(vec![0, 0, 1]),
            e_skey_val: Some(signed.public_key.public_key_bytes().to_vec()),
            e_skey_sig: Some(signature.to_vec()),
            ..Default::default()
        };
        let payload = ClientPayload {
            push_name: push_name.map(str::to_owned),
            device_pairing_data: buffa::MessageField::some(registration),
            ..Default::default()
        };
        let (mut light, server) =
            Light::first_contact(address, noise.clone(), buffa::Message::encode_to_vec(&payload)).await?;
        let offer = light.until(|node| node.get_optional_child("pair-device").is_some()).await?;
        light.send(&result_of(&offer)).await?;
        let reference = offer.get_optional_child_by_tag(&["pair-device", "ref"]).context("no reference is offered")?;
        let reference = String::from_utf8(bytes_of(reference))?;
        let encode = |key: &KeyPair| BASE64_STANDARD.encode(key.public_key.public_key_bytes());
        let code = format!("{reference},{},{},{},1", encode(&noise), encode(&identity), encode(&secret));
        Ok((Self { light, server, noise, identity }, code))
    }

    /// Signs what the phone vouched for, and is a companion.
    pub(crate) async fn finish(self) -> Result<Identity> {
        let Self { mut light, server, noise, .. } = self;
        let success = light.until(|node| node.get_optional_child("pair-success").is_some()).await?;
        let part = |name: &str| {
            success.get_optional_child("pair-success").and_then(|success| success.get_optional_child(name))
        };
        let jid = |name: &str| {
            part("device").and_then(|device| device.attrs.get(name)).and_then(wacore_binary::NodeValue::to_jid)
        };
        let (pn, lid) = (jid("jid").context("no number")?, jid("lid").context("no LID")?);
        let vouched = part("device-identity").map(bytes_of).context("no device identity")?;
        // Nobody writes to this device with keys, so its own signature over the identity is left out.
        let vouched: ADVSignedDeviceIdentityHMAC = buffa::Message::decode_from_slice(&vouched)?;
        let signed =
            NodeBuilder::new("device-identity").attr("key-index", 1).bytes(vouched.details.unwrap_or_default());
        let signed = NodeBuilder::new("pair-device-sign").children([signed.build()]).build();
        let mut answer = result_of(&success);
        answer.content = Some(NodeContent::Nodes(vec![signed]));
        light.send(&answer).await?;
        light.until(|node| node.tag == "stream:error").await?;
        Ok(Identity { noise, server, phone: pn.user.to_string(), lid: lid.user.to_string(), device: pn.device })
    }
}

fn result_of(request: &Node) -> Node {
    let id = request.attrs.get("id").map(|id| id.as_str().into_owned()).unwrap_or_default();
    NodeBuilder::new("iq").attr("to", Jid::new("", Server::Pn)).attr("type", "result").attr("id", id).build()
}

/// The bytes a node holds.
pub(crate) fn bytes_of(node: &Node) -> Vec<u8> {
    match &node.content {
        Some(NodeContent::Bytes(bytes)) => bytes.clone(),
        Some(NodeContent::String(text)) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

impl Identity {
    fn payload(&self) -> Vec<u8> {
        let payload = ClientPayload {
            username: self.phone.parse().ok(),
            device: Some(u32::from(self.device)),
            passive: Some(true),
            ..Default::default()
        };
        buffa::Message::encode_to_vec(&payload)
    }

    /// The device's JID by LID.
    pub(crate) fn jid(&self) -> Jid {
        Jid::lid_device(self.lid.as_str(), self.device)
    }

    /// Connects by the shorter handshake and waits until the server says who it is, or what is wrong (the error holds
    /// the stanza).
    pub(crate) async fn log_in(&self, address: SocketAddr) -> Result<Light> {
        let mut light = Light::known_contact(address, self).await?;
        let first = light.receive().await?;
        if first.tag != "success" {
            bail!("{first:?}");
        }
        Ok(light)
    }

    /// Logs in, asks for what waited, and passes over it.
    pub(crate) async fn come_online(&self, address: SocketAddr) -> Result<Light> {
        let mut light = self.log_in(address).await?;
        let active = NodeBuilder::new("active").build();
        light.send(&request("passive", "set", "active", Some(active))).await?;
        light.until(|node| node.get_optional_child("offline").is_some()).await?;
        Ok(light)
    }
}

/// An IQ to the server.
pub(crate) fn request(namespace: &str, kind: &str, id: &str, content: Option<Node>) -> Node {
    NodeBuilder::new("iq")
        .attr("to", Jid::new("", Server::Pn))
        .attr("xmlns", namespace)
        .attr("type", kind)
        .attr("id", id)
        .children(content)
        .build()
}

/// A WebSocket on which nothing was said yet.
pub(crate) async fn socket(address: SocketAddr) -> Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
    let url = format!("ws://{address}/ws/chat");
    let (socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
    Ok(socket)
}

/// The next whole frame.
pub(crate) async fn next_frame(socket: &mut WebSocketStream<TcpStream>, frames: &mut FrameDecoder) -> Result<BytesMut> {
    loop {
        if let Some(frame) = frames.decode_frame() {
            return Ok(frame);
        }
        match socket.next().await.context("the server left")?? {
            Message::Binary(data) => frames.feed(&data),
            Message::Close(_) => bail!("the server closed the connection"),
            _ => {}
        }
    }
}

impl Light {
    /// Connects by the XX handshake; gives the server's key too.
    pub(crate) async fn first_contact(
        address: SocketAddr,
        noise: KeyPair,
        payload: Vec<u8>,
    ) -> Result<(Self, [u8; 32])> {
        let mut socket = socket(address).await?;
        let mut frames = FrameDecoder::new();
        let mut state = XxHandshakeState::new(noise, payload, &WA_CONN_HEADER)?;
        let hello = encode_frame(&state.build_client_hello()?, Some(&WA_CONN_HEADER))?;
        socket.send(Message::Binary(hello.into())).await?;
        let answer = next_frame(&mut socket, &mut frames).await?;
        let finish = encode_frame(&state.read_server_hello_and_build_client_finish(&answer)?, None)?;
        socket.send(Message::Binary(finish.into())).await?;
        let done = state.finish()?;
        let (read, write) = (done.read_cipher, done.write_cipher);
        Ok((Self { socket, frames, read, write, read_count: 0, write_count: 0 }, done.server_cert_chain.leaf_key))
    }

    async fn known_contact(address: SocketAddr, identity: &Identity) -> Result<Self> {
        let mut socket = socket(address).await?;
        let mut frames = FrameDecoder::new();
        let mut state =
            IkHandshakeState::new(identity.noise.clone(), identity.server, identity.payload(), &WA_CONN_HEADER)?;
        let hello = encode_frame(&state.build_client_hello()?, Some(&WA_CONN_HEADER))?;
        socket.send(Message::Binary(hello.into())).await?;
        let answer = next_frame(&mut socket, &mut frames).await?;
        let IkServerHelloOutcome::Continue(done) = state.read_server_hello(&answer)? else {
            bail!("the server has another key now");
        };
        let (read, write) = (done.read_cipher, done.write_cipher);
        Ok(Self { socket, frames, read, write, read_count: 0, write_count: 0 })
    }

    pub(crate) async fn send(&mut self, node: &Node) -> Result<()> {
        self.send_encoded(marshal::marshal_auto(node)?).await
    }

    /// Sends what need not be a stanza, encrypted as one.
    pub(crate) async fn send_encoded(&mut self, encoded: Vec<u8>) -> Result<()> {
        let frame = self.seal(encoded)?;
        self.send_raw(frame).await
    }

    /// The next frame of this connection, holding these bytes.
    pub(crate) fn seal(&mut self, mut encoded: Vec<u8>) -> Result<Vec<u8>> {
        self.write.encrypt_in_place_with_counter(self.write_count, &mut encoded)?;
        self.write_count += 1;
        encode_frame(&encoded, None)
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: Vec<u8>) -> Result<()> {
        Ok(self.socket.send(Message::Binary(bytes.into())).await?)
    }

    /// The next stanza.
    pub(crate) async fn receive(&mut self) -> Result<Node> {
        let mut frame = next_frame(&mut self.socket, &mut self.frames).await?;
        self.read.decrypt_in_place_with_counter(self.read_count, &mut frame)?;
        self.read_count += 1;
        let encoded = util::unpack_bytes(frame)?;
        Ok(marshal::unmarshal_ref(&encoded)?.to_owned())
    }

    /// The next stanza that fits; those before it are passed over.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Node) -> bool) -> Result<Node> {
        loop {
            let node = self.receive().await?;
            if fits(&node) {
                return Ok(node);
            }
        }
    }
}
