//! Files that messages carry: pictures, videos, sound and documents.

use std::time::Duration;

use url::form_urlencoded::{Serializer, parse};

use crate::ids::{AccountId, UploadId};
use crate::time::Timestamp;

/// How large a file may be, in bytes, whatever it is.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// How large pictures, videos and sound may be, in bytes: what WhatsApp's own clients send.
pub const MAX_SHOWN_BYTES: u64 = 16 * 1024 * 1024;
/// For how long an uploaded file is kept, and may be sent.
pub const UPLOAD_KEPT: Duration = Duration::from_hours(30 * 24);
/// For how long a file that cannot be fetched now is tried, from the first time on.
pub const FETCH_PATIENCE: Duration = Duration::from_hours(1);
/// The shortest pause between two tries.
const FIRST_PAUSE: Duration = Duration::from_mins(1);

/// As what a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A picture: JPEG, PNG or WebP.
    Image,
    /// A video: MP4 or 3GP.
    Video,
    /// Sound.
    Audio,
    /// Sound as if spoken into the phone: OGG with Opus.
    Voice,
    /// Anything, to be opened by another program.
    Document,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Image, Self::Video, Self::Audio, Self::Voice, Self::Document];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether a text can stand under it: WhatsApp shows none with sound.
    pub const fn takes_text(self) -> bool {
        !matches!(self, Self::Audio | Self::Voice)
    }

    /// How large a file of this kind may be, in bytes.
    pub const fn max_bytes(self) -> u64 {
        match self {
            Self::Document => MAX_FILE_BYTES,
            Self::Image | Self::Video | Self::Audio | Self::Voice => MAX_SHOWN_BYTES,
        }
    }

    /// As what a file of this type is shown by itself. What phones cannot show is a document.
    pub fn of_type(mime: &str) -> Self {
        match essence(mime).as_str() {
            "image/jpeg" | "image/png" | "image/webp" => Self::Image,
            "video/mp4" | "video/3gpp" => Self::Video,
            "audio/aac" | "audio/amr" | "audio/m4a" | "audio/mp4" | "audio/mpeg" | "audio/ogg" | "audio/opus" => {
                Self::Audio
            }
            _ => Self::Document,
        }
    }

    /// Whether a file of this type can be shown as this.
    pub fn shows(self, mime: &str) -> bool {
        match self {
            Self::Document => true,
            Self::Voice => matches!(essence(mime).as_str(), "audio/ogg" | "audio/opus"),
            other => Self::of_type(mime) == other,
        }
    }
}

/// A type without its parameters.
fn essence(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Where a message's file comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address, asked when the message's turn comes.
    Url(String),
    /// A file that was uploaded.
    Upload(UploadId),
}

/// A file that a message carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Media {
    /// Where it comes from.
    pub source: Source,
    /// As what it is shown; when absent, as what it is found to be.
    pub kind: Option<Kind>,
    /// What the recipient sees it called, where it is a document.
    pub filename: Option<String>,
}

impl Media {
    /// As it is stored: a form, as browsers write them. [`Media::read`] reads it.
    pub fn written(&self) -> String {
        let mut form = Serializer::new(String::new());
        match &self.source {
            Source::Url(url) => form.append_pair("url", url),
            Source::Upload(id) => form.append_pair("upload", &id.to_string()),
        };
        if let Some(kind) = self.kind {
            form.append_pair("kind", kind.word());
        }
        if let Some(filename) = &self.filename {
            form.append_pair("filename", filename);
        }
        form.finish()
    }

    /// Reads what [`Media::written`] wrote; `None` when it is damaged. What it does not know it passes over.
    pub fn read(written: &str) -> Option<Self> {
        let (mut source, mut kind, mut filename) = (None, None, None);
        for (name, value) in parse(written.as_bytes()) {
            match &*name {
                "url" => source = Some(Source::Url(value.into_owned())),
                "upload" => source = Some(Source::Upload(value.parse().ok()?)),
                "kind" => kind = Some(Kind::from_word(&value)?),
                "filename" => filename = Some(value.into_owned()),
                _ => {}
            }
        }
        Some(Self { source: source?, kind, filename })
    }
}

/// A file that its owner puts beside the tables, to be sent by messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: UploadId,
    /// What its owner calls it.
    pub filename: String,
    /// How long it is, in bytes.
    pub size: u64,
    /// When it was announced.
    pub created_at: Timestamp,
    /// Until when it is kept.
    pub kept_until: Timestamp,
}

/// When a file is asked for again that could not be fetched, having first been asked for at `since`; `None`: not any more.
pub fn ask_again(since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let spent = now.since(since);
    (spent < FETCH_PATIENCE).then(|| now + spent.max(FIRST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let named = Some("a & b=ü.pdf".to_owned());
        let source = Source::Url("https://example.com/a?b=1&c=%20#d".into());
        for media in [
            Media { source, kind: Some(Kind::Voice), filename: named },
            Media { source: Source::Upload(UploadId(7)), kind: None, filename: None },
        ] {
            assert_eq!(Media::read(&media.written()), Some(media));
        }
        assert_eq!(Media::read("upload=7&later=x").map(|media| media.source), Some(Source::Upload(UploadId(7))));
        for damaged in ["", "kind=image", "upload=x", "upload=7&kind=smell"] {
            assert_eq!(Media::read(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn a_type_says_as_what_a_file_is_shown() {
        for (mime, kind) in [
            ("image/jpeg", Kind::Image),
            ("IMAGE/PNG; charset=binary", Kind::Image),
            ("image/svg+xml", Kind::Document),
            ("image/gif", Kind::Document),
            ("video/mp4", Kind::Video),
            ("video/quicktime", Kind::Document),
            ("audio/ogg; codecs=opus", Kind::Audio),
            ("application/pdf", Kind::Document),
            ("", Kind::Document),
        ] {
            assert_eq!(Kind::of_type(mime), kind, "{mime}");
            assert!(kind.shows(mime) && Kind::Document.shows(mime), "{mime}");
        }
        assert!(Kind::Voice.shows("audio/ogg") && !Kind::Voice.shows("audio/mpeg"));
        assert!(!Kind::Image.shows("text/html"), "a page that says that something is missing is no picture");
    }

    #[test]
    fn a_file_is_asked_for_again_more_and_more_rarely_for_an_hour() {
        let since = Timestamp::from_seconds(1_000_000);
        let (mut now, mut tries) = (since, 1);
        while let Some(next) = ask_again(since, now) {
            assert!(next.since(now) >= FIRST_PAUSE);
            (now, tries) = (next, tries + 1);
        }
        assert!((6..=8).contains(&tries), "{tries} tries");
        assert!(now.since(since) < FETCH_PATIENCE * 2 + FIRST_PAUSE);
    }
}
