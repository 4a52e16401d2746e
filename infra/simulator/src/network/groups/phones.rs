//! What people do with groups on their phones: make one, change it, write in it; and how groups look from outside.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use wacore_libsignal::protocol::ProtocolAddress;

use super::changes::{MemberChange, NewGroup, Setting};
use super::{Group, Place as GroupPlace, Role, group_id};
use crate::content::{self, Shown};
use crate::network::accounts::companion_address;
use crate::network::phone_actions::STATUS;
use crate::network::phone_inbound::{PhoneDelivery, Place, Plain};
use crate::network::phone_outbound::{Letter, VIEW_ONCE, withheld};
use crate::network::{Network, NetworkError, Refusal, lock};
use crate::signal::{SignalEndpoint, SignalError};

/// A group as the admin API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupView {
    /// The JID.
    pub jid: String,
    /// Its name.
    pub subject: String,
    /// Its description, empty when there is none.
    pub description: String,
    /// The code of its link.
    pub code: String,
    /// The settings that are on, by their tag.
    pub settings: Vec<String>,
    /// Seconds after which messages disappear; zero when they stay.
    pub ephemeral_s: u32,
    /// Who is in it.
    pub members: Vec<MemberView>,
    /// The phone digits of who asks to be let in.
    pub requests: Vec<String>,
    /// The JID of its community.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// Phone digits.
    pub phone: String,
    /// What they may do.
    pub role: Role,
}

/// What a person changes about a group; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupChange {
    /// Phone digits to add.
    pub add: Vec<String>,
    /// Phone digits to remove.
    pub remove: Vec<String>,
    /// Phone digits to make admins.
    pub promote: Vec<String>,
    /// Phone digits to make plain members.
    pub demote: Vec<String>,
    /// A new name.
    pub subject: Option<String>,
    /// A tag such as `announcement` or `unlocked`.
    pub setting: Option<String>,
    /// Seconds after which messages disappear; zero to let them stay.
    pub ephemeral_s: Option<u32>,
    /// Whether joining needs an admin.
    pub approval: Option<bool>,
    /// The person leaves.
    pub leave: bool,
}

/// What each companion gets, by account and device.
type Copies = Vec<((usize, u16), Node)>;

/// A message to a group, looked up once.
struct GroupRoute {
    id: String,
    now: u64,
    sender: usize,
    /// The JID of the group or the status list, and what its keys go by.
    group: String,
    key: String,
    jid: Jid,
    sender_lid: Jid,
    sender_pn: Jid,
    name: String,
    address: ProtocolAddress,
    endpoint: Arc<Mutex<SignalEndpoint>>,
    companions: Vec<(usize, u16)>,
    phones: Vec<usize>,
    /// Who has the phone's sender key already; nobody when a new key is due.
    holders: BTreeSet<(usize, u16)>,
}

impl Network {
    /// A person makes a group with others; who does not let it add them is sent an invitation. Gives how it looks.
    pub fn create_group(&self, phone: &str, subject: &str, members: &[String]) -> Result<GroupView, NetworkError> {
        let mut state = self.state();
        let creator = state.known_phone(phone)?;
        let members = members.iter().map(|member| state.known_phone(member)).collect::<Result<Vec<_>, _>>()?;
        let new = NewGroup { subject: subject.to_owned(), members: members.clone(), ..NewGroup::default() };
        let id = state.create_group(creator, new)?;
        let letters = state.invitation_letters(&id, &members);
        drop(state);
        for (to, letter) in letters {
            self.send_from_phone(phone, &to, &letter)?;
        }
        self.group(&id)
    }

    /// Every group.
    pub fn groups(&self) -> Vec<GroupView> {
        let state = self.state();
        state.groups.values().map(|group| state.group_view(group)).collect()
    }

    /// One group, by its JID or the digits of it.
    pub fn group(&self, id: &str) -> Result<GroupView, NetworkError> {
        let state = self.state();
        let group = state.groups.get(group_id(id)).ok_or(Refusal::NOT_FOUND)?;
        Ok(state.group_view(group))
    }

    /// A person changes a group.
    pub fn change_group(&self, phone: &str, id: &str, change: &GroupChange) -> Result<(), NetworkError> {
        let id = group_id(id);
        let mut state = self.state();
        let actor = state.known_phone(phone)?;
        let lists = [
            (MemberChange::Add, &change.add),
            (MemberChange::Remove, &change.remove),
            (MemberChange::Promote, &change.promote),
            (MemberChange::Demote, &change.demote),
        ];
        let mut letters = Vec::new();
        for (kind, phones) in lists.into_iter().filter(|(_, phones)| !phones.is_empty()) {
            let accounts = phones.iter().map(|phone| state.known_phone(phone)).collect::<Result<Vec<_>, _>>()?;
            let outcomes = state.change_members(actor, id, kind, &accounts)?;
            let invited = outcomes.iter().filter(|(_, failure)| *failure == Some(Refusal::FORBIDDEN.code));
            let invited: Vec<usize> = invited.map(|(account, _)| *account).collect();
            letters.extend(state.invitation_letters(id, &invited));
        }
        let settings = [
            change.subject.clone().map(Setting::Subject),
            change.setting.clone().map(Setting::Toggle),
            change.ephemeral_s.map(Setting::Ephemeral),
            change.approval.map(Setting::Approval),
        ];
        for setting in settings.into_iter().flatten() {
            state.set_in_group(actor, id, setting)?;
        }
        if change.leave {
            state.leave_group(actor, id)?;
        }
        drop(state);
        for (to, letter) in letters {
            self.send_from_phone(phone, &to, &letter)?;
        }
        Ok(())
    }

    /// A phone writes in a group: to every phone and companion of every member. Gives the stanza id.
    pub(crate) fn send_to_group(&self, from: &str, to: &str, letter: &Letter) -> Result<String, NetworkError> {
        let route = self.group_route(from, group_id(to))?;
        let endpoint = Arc::clone(&route.endpoint);
        let mut endpoint = lock(&endpoint);
        let sealed = self.seal_for_group(&mut endpoint, &route, letter)?;
        for (target, stanza) in sealed {
            self.state().push(target.0, target.1, stanza);
        }
        let shown = letter.shown();
        let media = self.media_of(&shown);
        let group = Some(route.group.clone());
        let place = Place { id: route.id.clone(), author: None, group: group.clone(), recipient: None };
        self.state().show(route.sender, place, Shown::clone(&shown), media, None);
        drop(endpoint);
        for phone in &route.phones {
            let (id, group, shown) = (route.id.clone(), group.clone(), shown.clone());
            self.deliver_to_phone(*phone, PhoneDelivery::Plain(Plain { id, sender: route.sender, group, shown }));
        }
        Ok(route.id)
    }

    fn group_route(&self, from: &str, id: &str) -> Result<GroupRoute, NetworkError> {
        let mut state = self.state();
        let sender = state.known_phone(from)?;
        let (stanza_id, now) = (state.ids.stanza_id(), state.now_seconds());
        let (jid, members) = if id == STATUS {
            (Jid::status_broadcast(), state.status_viewers(sender))
        } else {
            let group = state.groups.get(id).ok_or(Refusal::NOT_FOUND)?;
            if !group.may_write(sender) {
                return Err(Refusal::FORBIDDEN.into());
            }
            (group.jid(), group.members.keys().copied().collect())
        };
        let companions = members.iter().flat_map(|member| {
            let devices = state.accounts.get(*member).into_iter().flat_map(|account| account.devices.keys());
            devices.map(|device| (*member, *device))
        });
        let companions = companions.collect();
        let account = state.accounts.get(sender).ok_or_else(|| NetworkError::UnknownPhone(from.to_owned()))?;
        Ok(GroupRoute {
            id: stanza_id,
            now,
            sender,
            group: jid.to_string(),
            key: id.to_owned(),
            jid,
            sender_lid: account.jid(0, true),
            sender_pn: account.jid(0, false),
            name: account.name.clone(),
            address: companion_address(&account.lid, 0),
            endpoint: Arc::clone(&account.endpoint),
            companions,
            phones: members.into_iter().filter(|member| *member != sender).collect(),
            holders: account.sender_key_holders.get(id).cloned().unwrap_or_default(),
        })
    }

    /// One ciphertext for all, and the sender's key for who does not have it yet.
    fn seal_for_group(
        &self,
        endpoint: &mut SignalEndpoint,
        route: &GroupRoute,
        letter: &Letter,
    ) -> Result<Copies, SignalError> {
        let shell = letter
            .stanza(&route.id, route.now, &route.name)
            .attr("from", route.jid.clone())
            .attr("participant", route.sender_lid.clone())
            .attr("participant_pn", route.sender_pn.clone());
        let shell = if route.jid.is_group() { shell.attr("addressing_mode", "lid") } else { shell }.build();
        if letter.once {
            // Companions are told that there is something, and not what.
            let withheld = withheld(shell, Some(VIEW_ONCE));
            return Ok(route.companions.iter().map(|target| (*target, withheld.clone())).collect());
        }
        if route.holders.is_empty() {
            endpoint.renew_sender_key(&route.group, &route.address);
        }
        let key = endpoint.distribute(&route.group, &route.address)?;
        let bytes = endpoint.group_encrypt(&route.group, &route.address, &content::padded(&letter.message))?;
        let for_all = NodeBuilder::new("enc").attr("v", "2").attr("type", "skmsg").bytes(bytes).build();
        let key_alone = content::with_distribution(waproto::whatsapp::Message::default(), &route.group, key.clone());
        let key_alone = content::padded(&key_alone);
        let again = content::with_distribution(letter.message.clone(), &route.group, key);
        let again: Arc<[u8]> = content::padded(&again).into();
        let (mut stanzas, mut holders) = (Vec::new(), route.holders.clone());
        for target in &route.companions {
            let mut parts = Vec::new();
            if holders.insert(*target) {
                let Some(for_one) = self.encrypt(endpoint, *target, &key_alone, false)? else { continue };
                parts.push(for_one);
            }
            parts.push(for_all.clone());
            let mut stanza = shell.clone();
            stanza.content = Some(wacore_binary::NodeContent::Nodes(parts));
            self.remember_sent(route.sender, &route.id, *target, shell.clone(), Arc::clone(&again));
            stanzas.push((*target, stanza));
        }
        if let Some(account) = self.state().accounts.get_mut(route.sender) {
            account.sender_key_holders.insert(route.key.clone(), holders);
        }
        Ok(stanzas)
    }
}

impl crate::network::State {
    /// Who sees what a person puts into the status: everybody it knows, but for who blocked it.
    fn status_viewers(&self, author: usize) -> Vec<usize> {
        let known = self.contacts(author).into_iter().filter(|viewer| !self.is_blocked(*viewer, author));
        known.chain([author]).collect()
    }

    fn group_view(&self, group: &Group) -> GroupView {
        let phone = |account: &usize| self.accounts.get(*account).map(|account| account.phone.to_string());
        let member = |(account, role): (&usize, &Role)| Some(MemberView { phone: phone(account)?, role: *role });
        GroupView {
            jid: group.jid().to_string(),
            subject: group.subject.text.clone(),
            description: group.description.as_ref().map(|(_, text)| text.text.clone()).unwrap_or_default(),
            code: group.code.clone(),
            settings: group.toggles.iter().cloned().collect(),
            ephemeral_s: group.ephemeral,
            members: group.members.iter().filter_map(member).collect(),
            requests: group.requests.keys().filter_map(phone).collect(),
            parent: match &group.place {
                GroupPlace::Under { parent, .. } => Some(Jid::group(parent.as_str()).to_string()),
                GroupPlace::Alone | GroupPlace::Parent { .. } => None,
            },
        }
    }
}
