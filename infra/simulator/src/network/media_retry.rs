//! A companion found that a file is gone from the servers: its phone, which still has it, uploads it again and says
//! where, sealed with the file's key.

use buffa::Message as _;
use wacore::crypto::hkdf_sha256_into;
use wacore::libsignal::crypto::aes_256_gcm_encrypt;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp::MediaRetryNotification;
use waproto::whatsapp::media_retry_notification::ResultType;

use crate::content::media::{self, MediaPointer};
use crate::entropy::key_rng;
use crate::network::{Network, Session, Stored};
use crate::stanza::{self, holding};

/// "Not found": the phone does not have it either.
const NOT_FOUND: u16 = 2;

impl Network {
    /// Answers a receipt of the type `server-error`.
    pub(crate) fn upload_again(&self, session: Session, receipt: &Node) {
        let id = stanza::owned(receipt, "id");
        if stanza::attribute(receipt, "category").as_deref() == Some("peer") {
            // It was the history that could not be fetched: the phone tells it anew.
            let history = self.first_history(session.account);
            self.tell_companion(session.account, session.device, vec![history]);
            return;
        }
        let (file, own) = {
            let state = self.state();
            let Some(account) = state.accounts.get(session.account).filter(|account| account.online) else { return };
            (account.chat.file(&id), account.jid(0, false))
        };
        let told = file.and_then(|(pointer, kept)| self.put_again(&id, &pointer, &kept));
        let mut children = told.unwrap_or_else(|| vec![NodeBuilder::new("error").attr("code", NOT_FOUND).build()]);
        children.extend(receipt.get_optional_child("rmr").cloned());
        let mut state = self.state();
        let notification = NodeBuilder::new("notification")
            .attr("from", own)
            .attr("type", "mediaretry")
            .attr("id", id)
            .attr("t", state.now_seconds())
            .children(children);
        state.push(session.account, session.device, notification.build());
    }

    fn put_again(&self, id: &str, pointer: &MediaPointer, kept: &str) -> Option<Vec<Node>> {
        let Stored::Here(plain) = self.media().get(kept) else { return None };
        let direct_path = self.media().put(media::seal_again(pointer, &plain)?.into());
        let answer = MediaRetryNotification {
            stanza_id: Some(id.to_owned()),
            direct_path: Some(direct_path),
            result: Some(ResultType::SUCCESS),
            ..Default::default()
        };
        let mut key = [0; 32];
        hkdf_sha256_into(pointer.key.as_deref()?, None, b"WhatsApp Media Retry Notification", &mut key).ok()?;
        let iv: [u8; 12] = rand::RngExt::random(&mut key_rng());
        let mut sealed = Vec::new();
        aes_256_gcm_encrypt(&key, &iv, id.as_bytes(), &answer.encode_to_vec(), &mut sealed).ok()?;
        Some(vec![NodeBuilder::new("encrypt").children([holding("enc_p", sealed), holding("enc_iv", iv)]).build()])
    }
}
