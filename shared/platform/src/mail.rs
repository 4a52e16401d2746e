//! Letters to people: to the log on one machine, by SMTP, or by Amazon SES.
//!
//! | Variable | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_MAIL` | `log`; `smtp://user:password@host:587` or `smtps://…`; `ses` | `log` |
//! | `HANTAR_MAIL_FROM` | whom letters come from, as `Hantar <hantar@example.com>` | must be given, unless they go to the log |

#[cfg(all(feature = "ses", feature = "native"))]
mod ses;
#[cfg(feature = "smtp")]
mod smtp;

use async_trait::async_trait;
use hantar_usecases::ports::{Letter, Mail, PortError};
#[cfg(all(feature = "ses", feature = "native"))]
pub use ses::SesMail;
#[cfg(feature = "smtp")]
pub use smtp::SmtpMail;

/// Letters go to the log, for one machine and its one person.
pub struct LogMail;

#[async_trait]
impl Mail for LogMail {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        tracing::info!(to = letter.to.as_str(), subject = letter.subject, "a letter:\n{}", letter.text);
        Ok(())
    }
}

#[cfg(feature = "smtp")]
mod settings {
    use std::fmt;
    use std::sync::Arc;

    use hantar_usecases::ports::Mail;

    use super::{LogMail, SmtpMail};
    use crate::variables::{ConfigError, Variables};

    const MAIL: &str = "HANTAR_MAIL";
    const FROM: &str = "HANTAR_MAIL_FROM";

    /// How letters are sent.
    #[derive(Clone, PartialEq, Eq)]
    pub enum MailSettings {
        /// To the log.
        Log,
        /// By SMTP.
        Smtp {
            /// The server, with user and password: a secret.
            url: String,
            /// Whom they come from.
            from: String,
        },
        /// By Amazon SES.
        Ses {
            /// Whom they come from.
            from: String,
        },
    }

    impl fmt::Debug for MailSettings {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::Log => "Log",
                Self::Smtp { .. } => "Smtp(..)",
                Self::Ses { .. } => "Ses(..)",
            })
        }
    }

    impl MailSettings {
        /// Reads them.
        pub fn parse<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<Self, ConfigError> {
            Self::of(from.get(MAIL).as_deref().unwrap_or("log"), from.get(FROM))
        }

        /// Takes what the two variables say.
        pub fn of(mail: &str, from: Option<String>) -> Result<Self, ConfigError> {
            if mail == "log" {
                return Ok(Self::Log);
            }
            let expected = "whom letters come from, as Hantar <hantar@example.com>";
            let from = from.filter(|from| !from.is_empty()).ok_or_else(|| ConfigError::new(FROM, expected))?;
            if !SmtpMail::is_mailbox(&from) {
                return Err(ConfigError::new(FROM, expected));
            }
            match mail {
                "ses" => Ok(Self::Ses { from }),
                url if SmtpMail::is_server(url) => Ok(Self::Smtp { url: url.to_owned(), from }),
                _ => Err(ConfigError::new(MAIL, "log, ses, or a URL that begins with smtp:// or smtps://")),
            }
        }

        /// What sends them, where SES is not to be had.
        pub fn open(&self) -> Result<Arc<dyn Mail>, ConfigError> {
            match self {
                Self::Log => Ok(Arc::new(LogMail)),
                Self::Smtp { url, from } => match SmtpMail::new(url, from) {
                    Some(mail) => Ok(Arc::new(mail)),
                    None => Err(ConfigError::new(MAIL, "the URL of an SMTP server")),
                },
                Self::Ses { .. } => Err(ConfigError::new(MAIL, "log or an SMTP server: SES is for the forms on AWS")),
            }
        }

        /// What sends them.
        #[cfg(all(feature = "ses", feature = "native"))]
        pub fn open_on(&self, aws: &crate::aws::AwsEndpoint) -> Result<Arc<dyn Mail>, ConfigError> {
            match self {
                Self::Ses { from } => Ok(Arc::new(super::SesMail::new(aws, from.clone()))),
                other => other.open(),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn parse(mail: &'static str, from: &'static str) -> Result<MailSettings, ConfigError> {
            MailSettings::parse(&Variables(move |name| Some(if name == MAIL { mail } else { from }.to_owned())))
        }

        #[test]
        fn letters_go_to_the_log_unless_told() {
            assert_eq!(parse("", ""), Ok(MailSettings::Log));
            assert_eq!(parse("log", ""), Ok(MailSettings::Log));
        }

        #[test]
        fn whoever_sends_letters_says_from_whom() {
            let from = "Hantar <hantar@example.com>";
            assert_eq!(parse("ses", from), Ok(MailSettings::Ses { from: from.into() }));
            let url = "smtps://user:secret@mail.example.com";
            let settings = parse(url, from).unwrap();
            assert_eq!(settings, MailSettings::Smtp { url: url.into(), from: from.into() });
            assert_eq!(format!("{settings:?}"), "Smtp(..)", "the password is in no log");
            for from in ["", "somebody", "Hantar <hantar>"] {
                assert_eq!(parse("ses", from).unwrap_err().name, FROM, "{from}");
            }
            for mail in ["post", "http://mail.example.com", "smtp://"] {
                assert_eq!(parse(mail, from).unwrap_err().name, MAIL, "{mail}");
            }
        }
    }
}

#[cfg(feature = "smtp")]
pub use settings::MailSettings;
