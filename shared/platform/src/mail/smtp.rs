//! Letters by SMTP. To a server that is not on this machine only encrypted, unless its URL says `?tls=opportunistic`.

use std::time::Duration;

use async_trait::async_trait;
use hantar_usecases::ports::{Letter, Mail, PortError};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use url::{Host, Url};

/// How long a server may take.
const LIMIT: Duration = Duration::from_secs(10);

/// An SMTP server.
pub struct SmtpMail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMail {
    /// The server at `url`. Calls nobody yet. `None` for what is no such URL or mailbox.
    pub fn new(url: &str, from: &str) -> Option<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&secured(url)?).ok()?;
        Some(Self { transport: transport.timeout(Some(LIMIT)).build(), from: from.parse().ok()? })
    }

    pub(super) fn is_server(url: &str) -> bool {
        secured(url).is_some_and(|url| AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).is_ok())
    }

    pub(super) fn is_mailbox(text: &str) -> bool {
        text.parse::<Mailbox>().is_ok()
    }
}

/// The URL, with encryption asked for where it says nothing and leads off this machine.
fn secured(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let host = url.host()?;
    let here = match &host {
        // A host of another scheme than http is not read as an address by itself.
        Host::Domain(name) => *name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    if !matches!(url.scheme(), "smtp" | "smtps") {
        return None;
    }
    if url.scheme() == "smtp" && !here && !url.query_pairs().any(|(name, _)| name == "tls") {
        url.query_pairs_mut().append_pair("tls", "required");
    }
    Some(url.into())
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
    PortError::Unavailable { what: "mail server", source: source.into() }
}

#[async_trait]
impl Mail for SmtpMail {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        let to: Mailbox = letter.to.as_str().parse().map_err(unavailable)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(unavailable)?;
        self.transport.send(message).await.map(drop).map_err(unavailable)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "where the foreign server is, the environment says")]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    use hantar_domain::user::Email;

    use super::*;

    /// A server of another make (aiosmtpd), which says where it listens and then what it received, as Python writes it.
    const SERVER: &str = r#"
import email, email.policy, socket, time
from aiosmtpd.controller import Controller

class Keep:
    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = letter.get_content().replace("\r\n", "\n").rstrip("\n") + "\n"
        print((envelope.mail_from, envelope.rcpt_tos, letter["From"], letter["Subject"], text), flush=True)
        return "250 OK"

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
Controller(Keep(), hostname="127.0.0.1", port=port).start()
print(port, flush=True)
time.sleep(60)
"#;

    struct Server(Child, BufReader<std::process::ChildStdout>);

    impl Server {
        /// With the Python that `HANTAR_VENV` names; `None` without one, unless the run insists on it.
        fn start() -> Option<Self> {
            let Ok(venv) = std::env::var("HANTAR_VENV") else {
                assert!(std::env::var("HANTAR_REQUIRE_EMULATOR").is_err(), "HANTAR_VENV is not set");
                return None;
            };
            let mut command = Command::new(format!("{venv}/bin/python"));
            let mut child = command.args(["-c", SERVER]).stdout(Stdio::piped()).spawn().unwrap();
            let said = BufReader::new(child.stdout.take().unwrap());
            Some(Self(child, said))
        }

        fn says(&mut self) -> String {
            let mut line = String::new();
            self.1.read_line(&mut line).unwrap();
            line.trim().to_owned()
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn a_letter_arrives_at_a_foreign_server_as_it_was_written() {
        let Some(mut server) = Server::start() else { return };
        let url = format!("smtp://127.0.0.1:{}", server.says());
        let mail = SmtpMail::new(&url, "Hantar <hantar@example.com>").unwrap();
        let to = Email::parse("ali@example.com").unwrap();
        let text = "Selamat datang, Zoë\n\n.\nhttps://example.com/?secret=abc\n";
        mail.send(&Letter { to, subject: "Grüße aus 北京".into(), text: text.into() }).await.unwrap();
        assert_eq!(
            server.says(),
            "('hantar@example.com', ['ali@example.com'], 'Hantar <hantar@example.com>', 'Grüße aus 北京', \
             'Selamat datang, Zoë\\n\\n.\\nhttps://example.com/?secret=abc\\n')"
        );
    }

    #[test]
    fn off_this_machine_letters_are_encrypted_unless_the_url_says_otherwise() {
        for (url, secured_url) in [
            ("smtp://127.0.0.1:2525", Some("smtp://127.0.0.1:2525")),
            ("smtp://localhost", Some("smtp://localhost")),
            ("smtp://[::1]:25", Some("smtp://[::1]:25")),
            ("smtp://u:p@mail.example.com:587", Some("smtp://u:p@mail.example.com:587?tls=required")),
            ("smtp://mail.example.com?tls=opportunistic", Some("smtp://mail.example.com?tls=opportunistic")),
            ("smtps://mail.example.com", Some("smtps://mail.example.com")),
            ("http://mail.example.com", None),
            ("smtp://", None),
        ] {
            assert_eq!(secured(url).as_deref(), secured_url, "{url}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        let mail = SmtpMail::new("smtp://127.0.0.1:9", "Hantar <hantar@example.com>").unwrap();
        let to = Email::parse("ali@example.com").unwrap();
        let sent = mail.send(&Letter { to, subject: "Hello".into(), text: "Hello".into() }).await;
        assert!(matches!(sent, Err(PortError::Unavailable { what: "mail server", .. })), "{sent:?}");
    }
}
