//! Files: what clients and phones uploaded, by the path they are fetched with. The store sees ciphertexts only, but
//! for the files a phone opened to show them. Bounded: the oldest files go first, as on the real network.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, OnceLock};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::content::media::{self, MediaPointer};
use crate::network::{Network, Session, lock};

/// The largest upload, and how much is kept in all.
pub(crate) const MAX_FILE: usize = 100 << 20;
const MAX_KEPT: usize = 512 << 20;
/// How much of that outlives a restart, the newest first.
const MAX_SAVED: usize = 256 << 20;
const MAX_UNFINISHED: usize = 64;
/// How many expired files are told from those that never were, and how many finished uploads are known by their token.
const MAX_REMEMBERED: usize = 100_000;
/// How long a media connection's token is said to be good for.
const TTL_SECONDS: u32 = 3_600;
const PATH_PREFIX: &str = "/v/t62.7118-24/";
/// Real messages carry this host; clients that check it go by the path.
const PUBLIC_HOST: &str = "mmg.whatsapp.net";

/// A file in a message, as a phone shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneMedia {
    /// Such as `image/jpeg`, as the sender said.
    pub mime: String,
    /// A document's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// The decrypted length.
    #[serde(default)]
    pub size: usize,
    /// Where the admin API gives the decrypted content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why the phone could not open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What is there for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    Here(Bytes),
    /// It was here and expired.
    Gone,
    Never,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Upload {
    Complete(String),
    Partial(usize),
    Unknown,
}

#[derive(Default)]
pub(crate) struct MediaStore {
    shelf: Mutex<Shelf>,
    /// The host clients are told to upload to, known once the simulator listens.
    host: OnceLock<String>,
}

/// Which files there are, as it stands in the state file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedMedia {
    /// Their paths, the oldest first.
    paths: Vec<String>,
    gone: Vec<String>,
    by_token: HashMap<String, String>,
}

#[derive(Default)]
struct Shelf {
    files: HashMap<String, Bytes>,
    /// Paths in the order they came.
    order: VecDeque<String>,
    kept: usize,
    gone: HashSet<String>,
    /// Finished uploads by their token, so that a client that asks does not send again.
    by_token: HashMap<String, String>,
    unfinished: VecDeque<(String, BytesMut)>,
}

impl MediaStore {
    /// Takes a whole file. Gives its path: the same for the same content.
    pub(crate) fn put(&self, bytes: Bytes) -> String {
        let path = format!("{PATH_PREFIX}{}.enc", hex::encode(Sha256::digest(&bytes)));
        self.put_at(path.clone(), bytes);
        path
    }

    fn put_at(&self, path: String, bytes: Bytes) {
        let mut shelf = lock(&self.shelf);
        shelf.gone.remove(&path);
        shelf.kept += bytes.len();
        if let Some(before) = shelf.files.insert(path.clone(), bytes) {
            shelf.kept -= before.len();
        } else {
            shelf.order.push_back(path);
        }
        while shelf.kept > MAX_KEPT
            && let Some(oldest) = shelf.order.pop_front()
        {
            shelf.forget(&oldest);
        }
    }

    /// Takes a part of an upload that begins at `offset`; `whole` when it is the last. Gives the path of a finished
    /// upload, or nothing when the offset does not fit what came before.
    pub(crate) fn upload(&self, token: &str, offset: usize, bytes: &Bytes, whole: bool) -> Option<Upload> {
        let mut shelf = lock(&self.shelf);
        let at = shelf.unfinished.iter().position(|(unfinished, _)| unfinished == token);
        let mut so_far = at.and_then(|at| shelf.unfinished.remove(at)).map(|(_, bytes)| bytes).unwrap_or_default();
        if offset > so_far.len() {
            return None;
        }
        so_far.truncate(offset);
        so_far.extend_from_slice(bytes);
        if whole {
            drop(shelf);
            let path = self.put(so_far.freeze());
            let mut shelf = lock(&self.shelf);
            if shelf.by_token.len() >= MAX_REMEMBERED {
                shelf.by_token.clear();
            }
            shelf.by_token.insert(token.to_owned(), path.clone());
            return Some(Upload::Complete(path));
        }
        let length = so_far.len();
        if shelf.unfinished.len() >= MAX_UNFINISHED {
            shelf.unfinished.pop_front();
        }
        shelf.unfinished.push_back((token.to_owned(), so_far));
        Some(Upload::Partial(length))
    }

    /// How far the upload with this token is.
    pub(crate) fn progress(&self, token: &str) -> Upload {
        let shelf = lock(&self.shelf);
        if let Some(path) = shelf.by_token.get(token).filter(|path| shelf.files.contains_key(*path)) {
            return Upload::Complete(path.clone());
        }
        let unfinished = shelf.unfinished.iter().find(|(unfinished, _)| unfinished == token);
        unfinished.map_or(Upload::Unknown, |(_, bytes)| Upload::Partial(bytes.len()))
    }

    pub(crate) fn get(&self, path: &str) -> Stored {
        let shelf = lock(&self.shelf);
        match shelf.files.get(path) {
            Some(bytes) => Stored::Here(bytes.clone()),
            None if shelf.gone.contains(path) => Stored::Gone,
            None => Stored::Never,
        }
    }

    /// Lets one file, or all, expire. Gives how many.
    pub(crate) fn expire(&self, path: Option<&str>) -> usize {
        let mut shelf = lock(&self.shelf);
        let paths: Vec<String> = match path {
            Some(path) => shelf.files.keys().filter(|known| *known == path).cloned().collect(),
            // What a phone opened stays on the phone.
            None => shelf.files.keys().filter(|known| known.starts_with(PATH_PREFIX)).cloned().collect(),
        };
        for path in &paths {
            shelf.forget(path);
        }
        shelf.order.retain(|path| !paths.contains(path));
        paths.len()
    }

    /// What of it outlives a restart: which files, and their contents.
    pub(crate) fn save(&self) -> (SavedMedia, Vec<(String, Bytes)>) {
        let shelf = lock(&self.shelf);
        let mut files = Vec::new();
        let mut size = 0;
        for path in shelf.order.iter().rev() {
            let Some(bytes) = shelf.files.get(path) else { continue };
            size += bytes.len();
            if size > MAX_SAVED {
                break;
            }
            files.push((path.clone(), bytes.clone()));
        }
        files.reverse();
        let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
        let gone = shelf.gone.iter().cloned().collect();
        (SavedMedia { paths, gone, by_token: shelf.by_token.clone() }, files)
    }

    /// Takes the files back that `read` still finds; the others are gone.
    pub(crate) fn restore(&self, saved: SavedMedia, read: impl Fn(&str) -> Option<Bytes>) {
        {
            let mut shelf = lock(&self.shelf);
            shelf.gone.extend(saved.gone);
            shelf.by_token = saved.by_token;
        }
        for path in saved.paths {
            match read(&path) {
                Some(bytes) => self.put_at(path, bytes),
                None => {
                    lock(&self.shelf).gone.insert(path);
                }
            }
        }
    }

    /// Says under which host and port clients reach the store.
    pub(crate) fn set_host(&self, host: String) {
        // Set once, when the simulator begins to listen.
        let _already = self.host.set(host);
    }

    pub(crate) fn host(&self) -> &str {
        self.host.get().map_or("127.0.0.1:9", String::as_str)
    }
}

impl Shelf {
    fn forget(&mut self, path: &str) {
        if let Some(bytes) = self.files.remove(path) {
            self.kept -= bytes.len();
            if self.gone.len() >= MAX_REMEMBERED {
                self.gone.clear();
            }
            self.gone.insert(path.to_owned());
        }
    }
}

impl Network {
    /// The store of uploaded files.
    pub(crate) fn media(&self) -> &MediaStore {
        &self.inner.media
    }

    /// Lets an uploaded file expire, or all of them: fetching them gives 410 from now on. Gives how many.
    pub fn expire_media(&self, direct_path: Option<&str>) -> usize {
        self.media().expire(direct_path)
    }

    /// The answer to `<media_conn>`: where to upload, and a token that tells who does.
    pub(crate) fn media_connection(&self, session: Session) -> Node {
        let phone = self.state().accounts.get(session.account).map(|account| account.phone.to_string());
        let auth = media_token(&phone.unwrap_or_default(), session.device);
        let host = NodeBuilder::new("host").attr("hostname", self.media().host()).attr("type", "primary");
        let everything: Vec<Node> =
            ["image", "video", "audio", "document", "ptt", "sticker"].map(|kind| NodeBuilder::new(kind).build()).into();
        let host = host.children([NodeBuilder::new("download").children(everything).build()]);
        NodeBuilder::new("media_conn")
            .attr("auth", auth)
            .attr("ttl", TTL_SECONDS)
            .attr("auth_ttl", TTL_SECONDS)
            .attr("max_buckets", "12")
            .children([host.build()])
            .build()
    }

    /// A phone fetches and opens the file of a message it got.
    pub(crate) fn open_for_phone(&self, pointer: &MediaPointer) -> PhoneMedia {
        let shown =
            PhoneMedia { mime: pointer.mime.clone(), file_name: pointer.file_name.clone(), ..PhoneMedia::default() };
        let problem = |problem: &str| PhoneMedia { problem: Some(problem.to_owned()), ..shown.clone() };
        let path = pointer.direct_path.split('?').next().unwrap_or_default();
        let bytes = match self.media().get(path) {
            Stored::Here(bytes) => bytes,
            Stored::Gone => return problem("the file expired"),
            Stored::Never => return problem("the file is not on this network"),
        };
        let Some(plain) = media::open(pointer, &bytes) else { return problem("the file cannot be decrypted") };
        let (size, digest) = (plain.len(), hex::encode(Sha256::digest(&plain)));
        let path = format!("/admin/media/{digest}");
        self.media().put_at(path.clone(), plain.into());
        PhoneMedia { size, path: Some(path), ..shown }
    }
}

/// The URL of a path as messages carry it.
pub(crate) fn public_url(path: &str) -> String {
    format!("https://{PUBLIC_HOST}{path}")
}

/// A token for media requests. It proves nothing; it only says whose request it is.
fn media_token(phone: &str, device: u16) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{phone}:{device}"))
}

/// The account a token was given to.
pub(crate) fn token_owner(token: &str) -> Option<String> {
    let owner = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some(owner.split_once(':')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_goes_on_where_it_broke_off() {
        let store = MediaStore::default();
        assert_eq!(store.upload("t", 0, &Bytes::from_static(b"abc"), false), Some(Upload::Partial(3)));
        assert_eq!(store.progress("t"), Upload::Partial(3));
        let Some(Upload::Complete(path)) = store.upload("t", 3, &Bytes::from_static(b"def"), true) else {
            panic!("complete")
        };
        assert_eq!(store.get(&path), Stored::Here(Bytes::from_static(b"abcdef")));
        assert_eq!(store.progress("t"), Upload::Complete(path));
    }

    #[test]
    fn an_upload_that_begins_behind_what_is_there_is_refused() {
        assert_eq!(MediaStore::default().upload("t", 3, &Bytes::from_static(b"def"), true), None);
    }

    #[test]
    fn an_expired_file_is_gone_and_an_unknown_one_never_was() {
        let store = MediaStore::default();
        let path = store.put(Bytes::from_static(b"x"));
        assert_eq!(store.expire(Some(&path)), 1);
        assert_eq!((store.get(&path), store.get("/v/other")), (Stored::Gone, Stored::Never));
        store.put(Bytes::from_static(b"x"));
        assert_eq!(store.get(&path), Stored::Here(Bytes::from_static(b"x")));
    }

    #[test]
    fn what_was_saved_is_there_again_and_what_was_lost_is_gone() {
        let store = MediaStore::default();
        let (kept, lost) = (store.put(Bytes::from_static(b"kept")), store.put(Bytes::from_static(b"lost")));
        let expired = store.put(Bytes::from_static(b"expired"));
        store.expire(Some(&expired));
        let (saved, files) = store.save();
        let restored = MediaStore::default();
        let read = |path: &str| files.iter().find(|(known, _)| known == path && path != lost).map(|(_, b)| b.clone());
        restored.restore(saved, read);
        assert_eq!(restored.get(&kept), Stored::Here(Bytes::from_static(b"kept")));
        assert_eq!((restored.get(&lost), restored.get(&expired)), (Stored::Gone, Stored::Gone));
    }

    #[test]
    fn of_too_much_the_newest_files_are_saved() {
        let store = MediaStore::default();
        let paths: Vec<String> = (0..3_u8).map(|n| store.put(Bytes::from(vec![n; MAX_SAVED / 2]))).collect();
        let (saved, files) = store.save();
        assert_eq!((saved.paths.as_slice(), files.len()), (&paths[1..], 2));
    }

    #[test]
    fn a_token_names_its_account() {
        assert_eq!(token_owner(&media_token("60123", 33)).as_deref(), Some("60123"));
        assert_eq!(token_owner("%%"), None);
    }
}
