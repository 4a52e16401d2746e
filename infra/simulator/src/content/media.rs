//! Files in messages: where a message says its file is, and the messages a phone sends with one.

use buffa::MessageField;
use serde::{Deserialize, Serialize};
use wacore::download::{DownloadUtils, Downloadable, MediaType};
use wacore::upload::{EncryptedMedia, encrypt_media, encrypt_media_with_key};
use waproto::whatsapp::Message;
use waproto::whatsapp::message::{AudioMessage, DocumentMessage, FutureProofMessage, ImageMessage, VideoMessage};

/// Where a message's file is and how it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MediaPointer {
    /// The word for the type in upload paths, such as `image`.
    pub(crate) family: String,
    pub(crate) direct_path: String,
    /// Absent for what is not encrypted, as in newsletters.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) mime: String,
    pub(crate) file_name: Option<String>,
}

/// A file a person sends from a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// `image`, `video`, `audio`, `voice` or `document`.
    pub kind: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// Such as `image/png`.
    pub mime: String,
    /// Shown with pictures, videos and documents.
    pub caption: String,
    /// Shown with documents.
    pub file_name: Option<String>,
    /// Whether it may be looked at once: a picture, a video or a voice message.
    pub view_once: bool,
}

/// What people attach comes first.
const FAMILIES: [(&str, MediaType); 6] = [
    ("image", MediaType::Image),
    ("video", MediaType::Video),
    ("audio", MediaType::Audio),
    ("document", MediaType::Document),
    ("md-msg-hist", MediaType::History),
    ("md-app-state", MediaType::AppState),
];
const ATTACHED: usize = 4;

/// The word for the family a kind of attachment is uploaded under.
pub(crate) fn family_of(kind: &str) -> Option<&'static str> {
    let family = if kind == "voice" { "audio" } else { kind };
    FAMILIES.iter().take(ATTACHED).map(|(name, _)| *name).find(|name| *name == family)
}

fn media_type(family: &str) -> Option<MediaType> {
    FAMILIES.iter().find(|(name, _)| *name == family).map(|(_, media_type)| *media_type)
}

/// Encrypts a file as an upload is; `None` for a family there is not.
pub(crate) fn seal(family: &str, bytes: &[u8]) -> Option<EncryptedMedia> {
    encrypt_media(bytes, media_type(family)?).ok()
}

/// Encrypts a file again as it was encrypted before, so that old references open it.
pub(crate) fn seal_again(pointer: &MediaPointer, plain: &[u8]) -> Option<Vec<u8>> {
    let key: [u8; 32] = pointer.key.as_deref()?.try_into().ok()?;
    Some(encrypt_media_with_key(plain, media_type(&pointer.family)?, Some(&key)).ok()?.data_to_upload)
}

/// Decrypts and checks what was downloaded.
pub(crate) fn open(pointer: &MediaPointer, bytes: &[u8]) -> Option<Vec<u8>> {
    let Some(key) = &pointer.key else { return Some(bytes.to_vec()) };
    DownloadUtils::verify_and_decrypt(bytes, key, media_type(&pointer.family)?).ok()
}

/// Where the file of a message is, if it has one.
pub(super) fn pointer(message: &Message) -> Option<MediaPointer> {
    fn of(file: &dyn Downloadable, mime: Option<&String>, name: Option<&String>) -> Option<MediaPointer> {
        Some(MediaPointer {
            family: file.app_info().mms_type().to_owned(),
            direct_path: file.direct_path()?.to_owned(),
            key: file.media_key().map(<[u8]>::to_vec),
            mime: mime.cloned().unwrap_or_default(),
            file_name: name.cloned(),
        })
    }
    let image = message.image_message.as_option().and_then(|file| of(file, file.mimetype.as_ref(), None));
    let video = || message.video_message.as_option().and_then(|file| of(file, file.mimetype.as_ref(), None));
    let note = || message.ptv_message.as_option().and_then(|file| of(file, file.mimetype.as_ref(), None));
    let audio = || message.audio_message.as_option().and_then(|file| of(file, file.mimetype.as_ref(), None));
    let sticker = || message.sticker_message.as_option().and_then(|file| of(file, file.mimetype.as_ref(), None));
    let document = || {
        let file = message.document_message.as_option()?;
        of(file, file.mimetype.as_ref(), file.file_name.as_ref())
    };
    image.or_else(video).or_else(note).or_else(audio).or_else(sticker).or_else(document)
}

/// The message that carries an uploaded file, which may be one to look at once.
pub(crate) fn message(file: &Attachment, sealed: &EncryptedMedia, direct_path: &str, url: &str) -> Message {
    let message = plain_message(file, sealed, direct_path, url);
    if !file.view_once {
        return message;
    }
    let once = FutureProofMessage { message: MessageField::some(message) };
    Message { view_once_message_v2: MessageField::some(once), ..Default::default() }
}

/// The message that carries an uploaded file; `url` is where a client without a media route fetches it.
fn plain_message(file: &Attachment, sealed: &EncryptedMedia, direct_path: &str, url: &str) -> Message {
    let (mime, caption) = (Some(file.mime.clone()), Some(file.caption.clone()).filter(|caption| !caption.is_empty()));
    let (url, direct_path) = (Some(url.to_owned()), Some(direct_path.to_owned()));
    let (key, plain, encrypted) =
        (Some(sealed.media_key.to_vec()), Some(sealed.file_sha256.to_vec()), Some(sealed.file_enc_sha256.to_vec()));
    let length = Some(file.bytes.len() as u64);
    match file.kind.as_str() {
        "image" => Message {
            image_message: MessageField::some(ImageMessage {
                url,
                mimetype: mime,
                caption,
                file_sha256: plain,
                file_length: length,
                media_key: key,
                file_enc_sha256: encrypted,
                direct_path,
                ..Default::default()
            }),
            ..Default::default()
        },
        "video" => Message {
            video_message: MessageField::some(VideoMessage {
                url,
                mimetype: mime,
                caption,
                file_sha256: plain,
                file_length: length,
                media_key: key,
                file_enc_sha256: encrypted,
                direct_path,
                ..Default::default()
            }),
            ..Default::default()
        },
        "audio" | "voice" => Message {
            audio_message: MessageField::some(AudioMessage {
                url,
                mimetype: mime,
                ptt: Some(file.kind == "voice"),
                file_sha256: plain,
                file_length: length,
                media_key: key,
                file_enc_sha256: encrypted,
                direct_path,
                ..Default::default()
            }),
            ..Default::default()
        },
        _ => Message {
            document_message: MessageField::some(DocumentMessage {
                url,
                mimetype: mime,
                caption,
                title: file.file_name.clone(),
                file_name: file.file_name.clone(),
                file_sha256: plain,
                file_length: length,
                media_key: key,
                file_enc_sha256: encrypted,
                direct_path,
                ..Default::default()
            }),
            ..Default::default()
        },
    }
}
