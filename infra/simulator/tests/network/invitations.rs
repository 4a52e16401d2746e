//! Ways into groups that go by an admin or an invitation, and the pictures of groups.

use hantar_simulator::{GroupChange, Simulator};
use wacore::iq::groups::{
    GroupCreateOptions, GroupParticipantOptions, JoinGroupResult, MembershipApprovalMode, ParticipantChangeResponse,
    PictureType,
};
use wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use waproto::whatsapp::Message;
use waproto::whatsapp::message::GroupInviteMessage;
use whatsapp_rust::Jid;
use whatsapp_rust::types::events::Event;

use crate::support::{Companion, PATIENCE, admin, advance, becomes, freeze, linked, pn, simulator, stanzas_out};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

async fn create(companion: &Companion, subject: &str) -> Jid {
    let options = GroupCreateOptions::builder().subject(subject).finish();
    companion.client.groups().create_group(options).await.unwrap().metadata.id
}

/// The invitation in the next message that holds one: the group, the code and when it expires.
async fn invitation(companion: &Companion) -> (Jid, String, i64) {
    let invitation = companion
        .event("invitation", |event| {
            let invited =
                event.messages().find_map(|message| message.message.group_invite_message.as_option().cloned())?;
            Some(invited)
        })
        .await;
    let group = invitation.group_jid.unwrap().parse().unwrap();
    (group, invitation.invite_code.unwrap(), invitation.invite_expiration.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_let_others_add_it_is_invited_by_a_message_and_comes_in_by_its_code() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ben.client.set_privacy_setting(PrivacyCategory::GroupAdd, PrivacyValue::None).await.unwrap();
    let group = create(&ann, "Lunch").await;
    let refused = ann.client.groups().add_participants(&group, &[pn(BEN)]).await.unwrap().remove(0);
    assert_eq!(refused.error.as_deref(), Some("403"));
    let offered = refused.add_request.unwrap();
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 1);

    let message = GroupInviteMessage {
        group_jid: Some(group.to_string()),
        invite_code: Some(offered.code.clone()),
        invite_expiration: i64::try_from(offered.expiration).ok(),
        group_name: Some("Lunch".into()),
        ..Default::default()
    };
    let message = Message { group_invite_message: buffa::MessageField::some(message), ..Default::default() };
    ann.client.send_message(pn(BEN), message).await.unwrap();
    assert_eq!(network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap()[0].kind, "group_invite");
    let (invited_to, code, expiration) = invitation(&ben).await;
    assert_eq!((&invited_to, &code), (&group, &offered.code));
    let groups = ben.client.groups();
    assert!(groups.join_with_invite_v4(&group, "another code", expiration, pn(ANN)).await.is_err());
    let joined = groups.join_with_invite_v4(&group, &code, expiration, pn(ANN)).await.unwrap();
    assert_eq!(joined, JoinGroupResult::Joined(group.clone()));
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 2);
    assert!(groups.join_with_invite_v4(&group, &code, expiration, pn(ANN)).await.is_err(), "it is used up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_group_begins_without_who_does_not_let_others_add_it() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ben.client.set_privacy_setting(PrivacyCategory::GroupAdd, PrivacyValue::None).await.unwrap();
    let participants = [BEN, EVE].map(|phone| GroupParticipantOptions::new(pn(phone)));
    let options = GroupCreateOptions::builder().subject("Lunch").participants(participants.into()).finish();
    let group = ann.client.groups().create_group(options).await.unwrap().metadata.id;
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 2);
    assert_eq!(stanzas_out(network, ANN, "iq", "<add_request code=").len(), 1);

    let office = network.create_group(EVE, "Office", &[ANN.to_owned(), BEN.to_owned()]).unwrap();
    assert_eq!(office.members.len(), 2);
    let (invited_to, code, expiration) = invitation(&ben).await;
    ben.client.groups().join_with_invite_v4(&invited_to, &code, expiration, pn(EVE)).await.unwrap();
    assert_eq!(network.group(&office.jid).unwrap().members.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_ends_by_being_taken_back_and_by_itself() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ben.client.set_privacy_setting(PrivacyCategory::GroupAdd, PrivacyValue::None).await.unwrap();
    let group = create(&ann, "Lunch").await;
    let groups = ann.client.groups();
    let invite = async || {
        let refused = groups.add_participants(&group, &[pn(BEN)]).await.unwrap().remove(0);
        refused.add_request.unwrap().code
    };
    let join = async |code: &str| ben.client.groups().join_with_invite_v4(&group, code, 0, pn(ANN)).await;
    let code = invite().await;
    let revoked = groups.revoke_request_code(&group, &[pn(BEN)]).await.unwrap();
    assert!(revoked.iter().all(ParticipantChangeResponse::is_ok), "{revoked:?}");
    assert!(join(&code).await.is_err());

    let code = invite().await;
    freeze(network);
    advance(network, 3 * 86_400_000);
    assert!(join(&code).await.is_err());
    let code = invite().await;
    assert!(join(&code).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_invites_by_itself_whom_it_cannot_add_and_a_person_accepts_on_the_phone() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ann.client.set_privacy_setting(PrivacyCategory::GroupAdd, PrivacyValue::None).await.unwrap();
    ben.client.set_privacy_setting(PrivacyCategory::GroupAdd, PrivacyValue::None).await.unwrap();
    let group = network.create_group(EVE, "Office", &[]).unwrap();
    let add = GroupChange { add: vec![ANN.to_owned(), BEN.to_owned()], ..GroupChange::default() };
    network.change_group(EVE, &group.jid, &add).unwrap();
    let (invited_to, code, expiration) = invitation(&ben).await;
    ben.client.groups().join_with_invite_v4(&invited_to, &code, expiration, pn(EVE)).await.unwrap();

    let shown = network.messages(ANN).unwrap().pop().unwrap();
    assert_eq!(shown.kind, "group_invite");
    let accept = serde_json::json!({ "id": shown.id }).to_string();
    let path = format!("/admin/phones/{ANN}/accept-invitation");
    assert_eq!(admin(&simulator, "POST", &path, &accept).await.0, 204);
    assert_eq!(admin(&simulator, "POST", &path, &accept).await.0, 410);
    assert_eq!(network.group(&group.jid).unwrap().members.len(), 3);
    let told = ann.event("group", |event| matches!(event, Event::GroupUpdate(_)).then_some(()));
    told.await;
}

/// Makes a group that Ben asks to be let into.
async fn asked(simulator: &Simulator, ann: &Companion, ben: &Companion) -> Jid {
    let group = create(ann, "Open house").await;
    let link = ann.client.groups().get_invite_link(&group, false).await.unwrap();
    ann.client.groups().set_membership_approval(&group, MembershipApprovalMode::On).await.unwrap();
    let asked = ben.client.groups().join_with_invite_code(&link).await.unwrap();
    assert_eq!(asked, JoinGroupResult::PendingApproval(group.clone()));
    assert_eq!(simulator.network().group(&group.to_string()).unwrap().requests, [BEN]);
    group
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_join_is_told_to_admins_turned_down_and_taken_back() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let requests = |group: &Jid| network.group(&group.to_string()).unwrap().requests;
    let group = asked(&simulator, &ann, &ben).await;
    let told = async || stanzas_out(network, ANN, "notification", "<created_membership_requests").len() == 1;
    becomes(told).await;
    let waiting = ann.client.groups().get_membership_requests(&group).await.unwrap();
    let turned_down = ann.client.groups().reject_membership_requests(&group, &[waiting[0].jid.clone()]).await.unwrap();
    assert!(turned_down.iter().all(ParticipantChangeResponse::is_ok), "{turned_down:?}");
    assert!(requests(&group).is_empty());
    assert!(ben.client.groups().get_membership_requests(&group).await.is_err(), "admins alone see them");

    let group = asked(&simulator, &ann, &ben).await;
    ben.client.groups().cancel_membership_requests(&group, &[ben.client.lid().unwrap()]).await.unwrap();
    assert!(requests(&group).is_empty());
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_groups_picture_is_set_told_fetched_and_deleted() {
    let simulator = simulator().await;
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let group = create(&ann, "Lunch").await;
    ann.client.groups().add_participants(&group, &[pn(BEN)]).await.unwrap();
    let set = ann.client.groups().set_profile_picture(&group, vec![0xFF, 0xD8, 7]).await.unwrap();
    let update = |event: &Event| match event {
        Event::PictureUpdate(update) => Some((update.jid.clone(), update.removed, update.picture_id.clone())),
        _ => None,
    };
    assert_eq!(ben.event("picture", update).await, (group.clone(), false, Some(set.id.clone())));
    let pictures = ben.client.groups().get_profile_pictures(vec![group.clone()], PictureType::Image).await.unwrap();
    assert_eq!(pictures[0].photo_id, Some(set.id.clone()));
    let path = pictures[0].direct_path.clone().unwrap();
    let fetched = crate::support::exchange(simulator.address(), "GET", &path, "text/plain", hyper::body::Bytes::new());
    assert_eq!(fetched.await, (200, hyper::body::Bytes::from_static(&[0xFF, 0xD8, 7])));

    ann.client.groups().set_locked(&group, true).await.unwrap();
    assert!(ben.client.groups().set_profile_picture(&group, vec![1]).await.is_err());
    ann.client.groups().remove_profile_picture(&group).await.unwrap();
    assert!(ben.event("picture", update).await.1);
    let pictures = ben.client.groups().get_profile_pictures(vec![group], PictureType::Preview).await.unwrap();
    assert!(pictures.is_empty());
}
