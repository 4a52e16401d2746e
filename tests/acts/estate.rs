//! An account that owns one of everything that the routes name, for tests that walk all of them.

use std::time::Duration;

use hantar_domain::ids::{MessageId, OrderId, UploadId, UserId};
use hantar_domain::message::Fact;
use hantar_domain::order::{Order, OrderState};
use hantar_domain::price::{Amount, Currency};
use hantar_domain::user::{Email, Role, User};
use hantar_usecases::import_contacts::uploaded;
use hantar_usecases::ports::{Clock as _, NewPassword, Refusal, Sequence};
use hantar_usecases::upload_file;
use serde_json::{Value, json};

use crate::door::Door;
use crate::home::Home;
use crate::world::World;

/// The password of each estate's owner.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The account, its owner before the router, and the numbers of what it owns.
pub(crate) struct Estate {
    pub(crate) home: Home,
    pub(crate) door: Door,
    /// A word that stands in all that the account wrote.
    pub(crate) word: &'static str,
    /// Its numbers begin so.
    pub(crate) area: &'static str,
    /// Waiting, scheduled, acknowledged, failed and received.
    pub(crate) messages: [u64; 5],
    pub(crate) campaign: u64,
    pub(crate) contact: u64,
    pub(crate) group: u64,
    pub(crate) template: u64,
    pub(crate) webhook: u64,
    pub(crate) token: u64,
    pub(crate) user: u64,
    pub(crate) invitation: u64,
    /// One that was read, and one that was uploaded.
    pub(crate) imports: [u64; 2],
    pub(crate) export: u64,
    /// A file to send, which is there.
    pub(crate) upload: u64,
    /// Of the campaign's results.
    pub(crate) results: u64,
    pub(crate) erasure: u64,
    pub(crate) order: u64,
}

/// Answers the data of what went well.
async fn made(door: &Door, path: &str, body: Value) -> Value {
    let answer = door.post(&format!("/api/v1/{path}"), &body).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.json());
    answer.data()
}

fn number(data: &Value) -> u64 {
    data["id"].as_u64().unwrap_or_else(|| panic!("{data}"))
}

impl Home {
    /// Sets the owner's password, as if by an administrator.
    pub(crate) async fn give_password(&self, password: &str) {
        let hash = hantar_domain::password::hash(password, &[1; 16]).unwrap();
        let new = NewPassword { hash, at: self.process.clock.now(), by_letter: false };
        assert!(self.tenant().people().set_password(self.owner, &new, None).await.unwrap());
    }

    /// Somebody else of the account, by the name before the at sign.
    pub(crate) async fn colleague(&self, name: &str) -> UserId {
        let id = UserId(self.process.numbers.next(Sequence::Users).await.unwrap());
        let email = Email::parse(&format!("{name}@example.com")).unwrap();
        let verified_at = Some(self.process.clock.now());
        let user = User { id, account: self.account, email, verified_at, role: Role::Viewer, signed_out_at: None };
        assert!(self.process.fleet.add_user(&user).await.unwrap());
        id
    }

    /// Announces a file of contacts, and uploads it.
    pub(crate) async fn upload(&self, door: &Door, name: &str, text: &str) -> u64 {
        let asked = json!({ "filename": format!("{name}.csv"), "size": text.len() });
        let id = number(&made(door, "contacts/import", asked).await);
        let key = uploaded(self.account, hantar_domain::ids::ImportId(id));
        self.process.blobs.put(&key, text.as_bytes().to_vec()).await.unwrap();
        id
    }

    /// A purchase that waits for its payment.
    async fn ordered(&self) -> u64 {
        let id = self.process.numbers.next(Sequence::Orders(self.account)).await.unwrap();
        let order = Order {
            account: self.account,
            id: OrderId(id),
            nonce: [7; 16],
            credits: 100,
            amount: Amount { minor: 1_000, currency: Currency::parse("MYR").unwrap() },
            state: OrderState::Open,
            session: None,
            url: None,
            payment: None,
            created_at: self.process.clock.now(),
            ended_at: None,
        };
        self.tenant().ledger().add_order(&order, None).await.unwrap();
        id
    }
}

impl Estate {
    /// Fills an account. `area` is a number's beginning, `+60123456` say, that no other estate has.
    pub(crate) async fn of(world: &World, home: Home, word: &'static str, area: &'static str) -> Self {
        home.give_password(PASSWORD).await;
        home.connected(1).await;
        let door = Door::of(&home).await;
        let ask = async |path: &str, body: Value| made(&door, path, body).await;
        let phone = |last: u32| format!("{area}{last:03}");

        let group = number(&ask("contact-groups", json!({ "name": word })).await);
        let contact = json!({
            "phone": phone(1), "name": word, "external_id": word, "attributes": { "note": word }, "group_ids": [group],
        });
        let contact = number(&ask("contacts", contact).await);
        let template = number(&ask("templates", json!({ "name": word, "body": format!("{word} {{{{name}}}}") })).await);
        let hook = json!({ "url": format!("https://{word}.example.com/hook") });
        let webhook = number(&ask("webhooks", hook).await);
        let token = number(&ask("tokens", json!({ "name": word, "abilities": ["messages:read"] })).await);
        let user = home.colleague(&format!("{word}.colleague")).await.0;
        let asked = json!({ "email": format!("{word}.guest@example.com"), "role": "viewer" });
        let invitation = number(&ask("invitations", asked).await);
        ask("consents", json!({ "phone": phone(9), "status": "opted_out", "note": word })).await;
        door.put("/api/v1/consents/settings", &json!({ "stop_words": [format!("{word}stop")] })).await;
        door.put("/api/v1/credits/settings", &json!({ "low_balance": 5 })).await;

        let send = |last, more: Value| {
            let mut body = json!({ "phone": phone(last), "body": word, "name": word, "external_id": word });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ask("messages/send", body)
        };
        let waiting = number(&send(1, json!({})).await);
        let held = number(&send(1, json!({ "scheduled_at": "2026-12-24T09:00:00Z" })).await);
        let (sent, failed) = (number(&send(2, json!({})).await), number(&send(3, json!({})).await));
        for id in [sent, failed].map(MessageId) {
            home.dispatch(id).await;
        }
        home.learn(MessageId(sent), Fact::Acknowledged).await;
        let nack = Refusal { fact: Fact::Nacked, code: "463".into() };
        home.tenant().refuse(MessageId(failed), &nack, home.process.clock.now()).await.unwrap();
        let said = home.hears(&format!("IN-{word}"), word).await;
        let row = json!({ "phone": phone(4), "body": word });
        ask("messages/bulk", json!({ "messages": [row] })).await;
        let campaign = json!({
            "name": word, "message_template_id": template, "contact_group_id": group, "device": home.device.0,
            "recipients": [{ "phone": phone(5), "name": word }],
        });
        let campaign = number(&ask("campaigns", campaign).await);

        let text = format!("phone,name\n{},{word}\n{},{word}\nnobody,{word}\n", phone(6), phone(7));
        let read = home.upload(&door, word, &text).await;
        ask(&format!("contacts/import/{read}/start"), json!({})).await;
        let uploaded = home.upload(&door, word, &text).await;
        let upload = number(&ask("uploads", json!({ "filename": format!("{word}.pdf"), "size": 4 })).await);
        let file = upload_file::uploaded(home.account, UploadId(upload));
        home.process.blobs.put(&file, b"%PDF".to_vec()).await.unwrap();
        let export = number(&door.get("/api/v1/contacts/export").await.data());
        let results = number(&door.get(&format!("/api/v1/campaigns/{campaign}/export")).await.data());
        let erasure = number(&ask("contact-erasures", json!({ "phone": phone(8) })).await);
        let order = home.ordered().await;
        world.clock.advance(Duration::from_secs(1));
        home.process.sweep_work().await;
        home.process.work().await;
        world.relay(&home.process).await;
        home.process.mailbox.take();
        Self {
            messages: [waiting, held, sent, failed, said.0],
            imports: [read, uploaded],
            home,
            door,
            word,
            area,
            campaign,
            contact,
            group,
            template,
            webhook,
            token,
            user,
            invitation,
            export,
            upload,
            results,
            erasure,
            order,
        }
    }

    /// A number of its own.
    pub(crate) fn phone(&self, last: u32) -> String {
        format!("{}{last:03}", self.area)
    }
}
