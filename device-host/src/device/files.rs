//! Getting a message's file to WhatsApp's servers, before the message takes its turn on the wire.
//!
//! What is there already is remembered for some minutes, so that many messages with one picture upload it once. Only so
//! many files are in memory at a time, however many devices send some.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hantar_domain::ids::AccountId;
use hantar_domain::media::{Kind, MAX_FILE_BYTES, Media, Source};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Blobs, Download, DownloadError, Downloaded, PortError};
use hantar_usecases::upload_file::uploaded;
use tokio::sync::Semaphore;

use super::desk::Desk;
use crate::whatsapp::client::{File, Line};

/// How many files are in memory at a time.
const AT_ONCE: usize = 2;
/// How much of an uploaded file is read at a time.
const PART: usize = 4 << 20;
/// How many uploads are remembered, and for how long: addresses may show other files later.
const REMEMBERED: usize = 64;
const REMEMBERED_FOR: Duration = Duration::from_mins(10);
/// How long an address that did not answer is not asked for another message: less than any message is put off for.
const FAILED_FOR: Duration = Duration::from_secs(50);

/// The address does not answer, or WhatsApp does not take the file.
const UNREACHABLE: &str = "media_unreachable";
/// The server refuses to give the file.
const REFUSED: &str = "media_refused";
/// The address leads to where nobody may be called.
const ADDRESS: &str = "media_address";
const TOO_LARGE: &str = "media_too_large";
const EMPTY: &str = "media_empty";
/// The file is not what it was said to be.
const OTHER_TYPE: &str = "media_type";
/// The file was never uploaded, or is no longer kept.
const MISSING: &str = "media_missing";

/// Where files come from, and what is known of those that were uploaded.
pub(crate) struct Files {
    blobs: Arc<dyn Blobs>,
    download: Arc<dyn Download>,
    room: Semaphore,
    recent: Mutex<VecDeque<Recent>>,
    failed: Mutex<VecDeque<Failed>>,
}

/// A file that could not be had lately.
struct Failed {
    account: AccountId,
    source: Source,
    at: Timestamp,
}

/// A file that was uploaded lately.
struct Recent {
    account: AccountId,
    media: Media,
    with_text: bool,
    at: Timestamp,
    attached: Vec<u8>,
}

/// What became of a file.
pub(super) enum Fetched {
    /// WhatsApp's servers have it; this is what the message says of it.
    Attached(Vec<u8>),
    /// It cannot be sent, for this reason.
    Refused(&'static str),
    /// It cannot be had now, for this reason.
    Later(&'static str),
    /// The connection was lost over it.
    Lost,
}

impl Files {
    /// Nothing is known yet.
    pub(crate) fn new(blobs: Arc<dyn Blobs>, download: Arc<dyn Download>) -> Self {
        Self { blobs, download, room: Semaphore::new(AT_ONCE), recent: Mutex::default(), failed: Mutex::default() }
    }

    fn known(&self, account: AccountId, media: &Media, with_text: bool, now: Timestamp) -> Option<Vec<u8>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|one| now.since(one.at) < REMEMBERED_FOR);
        let is_it = |one: &&Recent| one.account == account && one.media == *media && one.with_text == with_text;
        recent.iter().find(is_it).map(|one| one.attached.clone())
    }

    fn remember(&self, one: Recent) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.truncate(REMEMBERED - 1);
        recent.push_front(one);
    }

    /// Whether this file could not be had just now: many messages with one dead address wait for it once, not each.
    fn has_failed(&self, account: AccountId, source: &Source, now: Timestamp) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|one| now.since(one.at) < FAILED_FOR);
        failed.iter().any(|one| one.account == account && one.source == *source)
    }

    fn note_failed(&self, account: AccountId, source: Source, at: Timestamp) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.truncate(REMEMBERED - 1);
        failed.push_front(Failed { account, source, at });
    }

    /// What is known without asking anybody.
    fn at_hand(&self, account: AccountId, media: &Media, with_text: bool, now: Timestamp) -> Option<Fetched> {
        let known = self.known(account, media, with_text, now).map(Fetched::Attached);
        known.or_else(|| self.has_failed(account, &media.source, now).then_some(Fetched::Later(UNREACHABLE)))
    }

    async fn get(&self, account: AccountId, source: &Source) -> Result<Downloaded, Fetched> {
        match source {
            Source::Url(url) => self.download.download(url, MAX_FILE_BYTES).await.map_err(|error| match error {
                DownloadError::Unreachable | DownloadError::Status(408 | 425 | 429 | 500..) => {
                    Fetched::Later(UNREACHABLE)
                }
                DownloadError::Status(_) => Fetched::Refused(REFUSED),
                DownloadError::TooLarge => Fetched::Refused(TOO_LARGE),
                DownloadError::Address => Fetched::Refused(ADDRESS),
            }),
            Source::Upload(id) => {
                let mut bytes = Vec::new();
                loop {
                    match self.blobs.read(&uploaded(account, *id), bytes.len() as u64, PART).await {
                        Ok(Some(part)) if part.is_empty() => return Ok(Downloaded { bytes, mime: None }),
                        Ok(Some(part)) => bytes.extend(part),
                        Ok(None) => return Err(Fetched::Refused(MISSING)),
                        Err(error) => return Err(unread(&error)),
                    }
                    if bytes.len() as u64 > MAX_FILE_BYTES {
                        return Err(Fetched::Refused(TOO_LARGE));
                    }
                }
            }
        }
    }
}

fn unread(error: &PortError) -> Fetched {
    tracing::warn!(%error, "an uploaded file cannot be read now");
    Fetched::Later(UNREACHABLE)
}

/// Uploads the file of a message, `with_text` under it or not, unless that was done just before.
pub(super) async fn fetch(desk: &Desk, line: &Line, media: &Media, with_text: bool) -> Fetched {
    let (files, account) = (&desk.shared.files, desk.account);
    if let Some(fetched) = files.at_hand(account, media, with_text, desk.clock.now()) {
        return fetched;
    }
    // It is never closed.
    let Ok(_room) = files.room.acquire().await else { return Fetched::Lost };
    // Another device may have fetched it meanwhile.
    if let Some(fetched) = files.at_hand(account, media, with_text, desk.clock.now()) {
        return fetched;
    }
    let Downloaded { bytes, mime: said } = match files.get(account, &media.source).await {
        Ok(found) => found,
        Err(fetched) => {
            if matches!(fetched, Fetched::Later(_)) {
                files.note_failed(account, media.source.clone(), desk.clock.now());
            }
            return fetched;
        }
    };
    let mime = type_of(&bytes, said);
    let kind = match as_what(media.kind, &mime, with_text, bytes.len() as u64) {
        Ok(kind) => kind,
        Err(code) => return Fetched::Refused(code),
    };
    let filename = media.filename.clone().or_else(|| name_in(&media.source));
    match line.upload(File { bytes, kind, mime, filename }).await {
        Ok(attached) => {
            let (media, at) = (media.clone(), desk.clock.now());
            files.remember(Recent { account, media, with_text, at, attached: attached.clone() });
            Fetched::Attached(attached)
        }
        Err(error) => {
            tracing::debug!(%error, "a file was not uploaded");
            if line.is_open() { Fetched::Later(UNREACHABLE) } else { Fetched::Lost }
        }
    }
}

/// What a file is: as its first bytes say, else as its server said. A server knows better where the bytes tell only the
/// wrapping: office files in a ZIP, sound in an MP4.
fn type_of(bytes: &[u8], said: Option<String>) -> String {
    let found = infer::get(bytes).map(|found| match found.mime_type() {
        "audio/opus" => "audio/ogg; codecs=opus",
        "audio/m4a" => "audio/mp4",
        other => other,
    });
    let is_sound = said.as_ref().is_some_and(|said| said.starts_with("audio/"));
    match (found, said) {
        (Some("application/zip" | "application/x-ole-storage" | "text/xml"), Some(said)) => said,
        (Some("video/mp4"), Some(_)) if is_sound => "audio/mp4".to_owned(),
        (Some(found), _) => found.to_owned(),
        (None, said) => said.unwrap_or_else(|| "application/octet-stream".to_owned()),
    }
}

/// As what a file of a type is sent; or why it is not.
fn as_what(asked: Option<Kind>, mime: &str, with_text: bool, length: u64) -> Result<Kind, &'static str> {
    let kind = match asked {
        Some(kind) if !kind.shows(mime) => return Err(OTHER_TYPE),
        Some(kind) => kind,
        // WhatsApp shows no text with sound; nothing of what is said gets lost under a document.
        None => Some(Kind::of_type(mime)).filter(|kind| kind.takes_text() || !with_text).unwrap_or(Kind::Document),
    };
    match length {
        0 => Err(EMPTY),
        length if length > kind.max_bytes() => Err(TOO_LARGE),
        _ => Ok(kind),
    }
}

/// What an address calls its file.
fn name_in(source: &Source) -> Option<String> {
    let Source::Url(url) = source else { return None };
    let url = url::Url::parse(url).ok()?;
    let last = url.path_segments()?.next_back().filter(|last| !last.is_empty())?.to_owned();
    let decoded = percent_encoding::percent_decode_str(&last).decode_utf8().ok()?.into_owned();
    Some(decoded.chars().filter(|c| !c.is_control()).take(255).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn bytes_say_what_a_file_is_before_its_server_does() {
        assert_eq!(type_of(PNG, Some("text/plain".into())), "image/png");
        assert_eq!(type_of(b"OggS\0\x02", None), "audio/ogg");
        let opus = [b"OggS".as_slice(), &[0; 24], b"OpusHead"].concat();
        assert_eq!(type_of(&opus, Some("audio/ogg".into())), "audio/ogg; codecs=opus");
        let sound = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
        assert_eq!(type_of(sound, Some("audio/x-m4a".into())), "audio/mp4");
        assert_eq!(type_of(sound, None), "video/mp4");
        let office = "application/vnd.oasis.opendocument.text";
        assert_eq!(type_of(b"PK\x03\x04\x14\0\0\0", Some(office.into())), office);
        assert_eq!(type_of(b"a,b\n1,2\n", Some("text/csv".into())), "text/csv");
        assert_eq!(type_of(b"a,b\n1,2\n", None), "application/octet-stream");
    }

    #[test]
    fn a_file_is_sent_as_what_it_is_or_as_what_was_asked_for_or_not_at_all() {
        for (asked, mime, with_text, length, expected) in [
            (None, "image/png", true, 10, Ok(Kind::Image)),
            (None, "audio/mpeg", false, 10, Ok(Kind::Audio)),
            (None, "audio/mpeg", true, 10, Ok(Kind::Document)),
            (None, "application/pdf", true, 17 << 20, Ok(Kind::Document)),
            (Some(Kind::Document), "image/png", false, 10, Ok(Kind::Document)),
            (Some(Kind::Voice), "audio/ogg", false, 10, Ok(Kind::Voice)),
            (Some(Kind::Voice), "audio/mpeg", false, 10, Err(OTHER_TYPE)),
            (Some(Kind::Image), "text/html", false, 10, Err(OTHER_TYPE)),
            (None, "image/png", false, 0, Err(EMPTY)),
            (None, "image/png", false, 17 << 20, Err(TOO_LARGE)),
        ] {
            assert_eq!(as_what(asked, mime, with_text, length), expected, "{asked:?} {mime} {with_text} {length}");
        }
    }

    struct Nothing;

    #[async_trait::async_trait]
    impl Download for Nothing {
        async fn download(&self, _: &str, _: u64) -> Result<Downloaded, DownloadError> {
            Err(DownloadError::Unreachable)
        }
    }

    #[test]
    fn an_address_that_did_not_answer_is_left_alone_for_a_while_by_its_account() {
        let folder = hantar_platform::blobs::FolderBlobs::new(std::env::temp_dir());
        let files = Files::new(Arc::new(folder), Arc::new(Nothing));
        let [dead, other] = ["dead", "other"].map(|name| Source::Url(format!("https://example.com/{name}")));
        let at = Timestamp::from_seconds(1_000);
        files.note_failed(AccountId(1), dead.clone(), at);
        for (account, source, seconds, expected) in
            [(1, &dead, 49, true), (1, &other, 0, false), (2, &dead, 0, false), (1, &dead, 50, false)]
        {
            let now = Timestamp::from_seconds(1_000 + seconds);
            assert_eq!(files.has_failed(AccountId(account), source, now), expected, "{account} {source:?} {seconds}");
        }
    }

    #[test]
    fn a_document_is_called_as_its_address_calls_it() {
        for (url, name) in [
            ("https://example.com/a/price%20list.pdf?x=1", Some("price list.pdf")),
            ("https://example.com/", None),
            ("https://example.com/a/", None),
        ] {
            assert_eq!(name_in(&Source::Url(url.into())).as_deref(), name, "{url}");
        }
    }
}
