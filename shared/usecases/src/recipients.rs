//! Who a campaign is given, read part by part, and who of them is written to.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::campaign::{Given, Listed, Recipient, RecipientKey, Rejected, Rejection, Source, Unfit, address};
use hantar_domain::contact::Contact;
use hantar_domain::ids::{CampaignId, ContactId, GroupId};
use hantar_domain::phone::{PhoneNumber, Region};

use crate::ports::{BlobKey, Blobs, PortError, Tenant};

/// How much of the list is read at a time, in bytes: no entry is longer than a request's body may be.
const PART: usize = 256 * 1024;
const LONGEST: usize = 8 * 1024 * 1024;

/// Somebody as they were given, and where to read on behind them.
pub(crate) struct Candidate {
    pub(crate) given: Given,
    pub(crate) next: Source,
}

/// Where a campaign's recipients come from.
pub(crate) struct Sources<'a> {
    pub(crate) tenant: &'a dyn Tenant,
    pub(crate) blobs: &'a dyn Blobs,
    pub(crate) list: BlobKey,
    pub(crate) group: Option<GroupId>,
}

/// The list cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("the list of recipients is gone or damaged")]
    Lost,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Sources<'_> {
    /// Some of those who come from `source` on, at most `most`; and where to read on behind them, also where there are none.
    pub(crate) async fn read(&self, source: Source, most: usize) -> Result<(Vec<Candidate>, Source), Unread> {
        match source {
            Source::List(byte) => self.read_list(byte, most).await,
            Source::Group(after) => Ok(self.read_group(after, most).await?),
            Source::End => Ok((Vec::new(), Source::End)),
        }
    }

    async fn read_list(&self, from: u64, most: usize) -> Result<(Vec<Candidate>, Source), Unread> {
        let mut part = PART;
        let (entries, ended) = loop {
            let bytes = self.blobs.read(&self.list, from, part).await?.ok_or(Unread::Lost)?;
            let (mut entries, mut place) = (Vec::new(), 0);
            while entries.len() < most
                && let Some((entry, length)) = Listed::read(&bytes[place..])
            {
                place += length;
                entries.push((entry, from + place as u64));
            }
            let ended = bytes.len() < part && place == bytes.len();
            if !entries.is_empty() || ended {
                break (entries, ended);
            }
            if bytes.len() < part || part >= LONGEST {
                return Err(Unread::Lost);
            }
            part *= 2;
        };
        let next = if ended { Source::Group(None) } else { Source::List(entries.last().map_or(from, |(_, end)| *end)) };
        let ids: Vec<_> = entries.iter().filter_map(|(entry, _)| id_of(entry)).collect();
        let mut contacts: BTreeMap<ContactId, Contact> = BTreeMap::new();
        if !ids.is_empty() {
            let found = self.tenant.contacts().contacts_by_id(&ids).await?;
            contacts.extend(found.into_iter().map(|contact| (contact.id, contact)));
        }
        let last = entries.len();
        let candidates = (1..).zip(entries).map(|(number, (entry, end))| Candidate {
            given: given(entry, &mut contacts),
            next: if number == last { next } else { Source::List(end) },
        });
        Ok((candidates.collect(), next))
    }

    async fn read_group(&self, after: Option<ContactId>, most: usize) -> Result<(Vec<Candidate>, Source), PortError> {
        let Some(group) = self.group else { return Ok((Vec::new(), Source::End)) };
        let members = self.tenant.contacts().members(group, after, most).await?;
        let next = members.next.map_or(Source::End, |next| Source::Group(Some(next)));
        let last = members.contacts.len();
        let candidates = (1..).zip(members.contacts).map(|(number, contact)| Candidate {
            next: if number == last { next } else { Source::Group(Some(contact.id)) },
            given: Given::Contact(Box::new(contact)),
        });
        Ok((candidates.collect(), next))
    }
}

const fn id_of(entry: &Listed) -> Option<ContactId> {
    match entry {
        Listed::Contact(id) => Some(*id),
        Listed::Row { .. } => None,
    }
}

pub(crate) fn given(entry: Listed, contacts: &mut BTreeMap<ContactId, Contact>) -> Given {
    match entry {
        Listed::Row { phone, name, attributes } => Given::Row { phone, name, attributes },
        Listed::Contact(id) => {
            contacts.remove(&id).map_or(Given::Nobody(id), |contact| Given::Contact(Box::new(contact)))
        }
    }
}

/// Somebody who may be written to unless they were there before or opted out, or why not.
pub(crate) struct Addressed {
    pub(crate) phone: String,
    pub(crate) fit: Result<(RecipientKey, Recipient), Unfit>,
    pub(crate) next: Source,
}

/// Looks at each of them by itself.
pub(crate) fn address_all(candidates: Vec<Candidate>, body: &str, regions: &[Region]) -> Vec<Addressed> {
    let look = |Candidate { given, next }| {
        let phone = given.phone();
        let fit = address(given, body, regions).map(|recipient| (RecipientKey::of(&recipient.phone), recipient));
        Addressed { phone, fit, next }
    };
    candidates.into_iter().map(look).collect()
}

/// What is known of those who may be written to.
pub(crate) struct Known {
    /// Those who were there before.
    pub(crate) taken: BTreeSet<RecipientKey>,
    /// Those who asked not to be written to.
    pub(crate) suppressed: BTreeSet<PhoneNumber>,
}

impl Known {
    /// Reads what the account and, where it has begun, the campaign know.
    pub(crate) async fn read(
        tenant: &dyn Tenant,
        campaign: Option<CampaignId>,
        addressed: &[Addressed],
    ) -> Result<Self, PortError> {
        let fit: Vec<_> = addressed.iter().filter_map(|one| one.fit.as_ref().ok()).collect();
        if fit.is_empty() {
            return Ok(Self { taken: BTreeSet::new(), suppressed: BTreeSet::new() });
        }
        let phones: Vec<_> = fit.iter().map(|(_, recipient)| recipient.phone.clone()).collect();
        let suppressed = tenant.consents().suppressed(&phones).await?;
        let taken = match campaign {
            Some(campaign) => {
                let keys: Vec<_> = fit.iter().map(|(key, _)| *key).collect();
                tenant.campaigns().known(campaign, &keys).await?
            }
            None => BTreeSet::new(),
        };
        Ok(Self { taken, suppressed })
    }

    /// Takes somebody in, or says why not. The first of several with one number is taken.
    pub(crate) fn take(&mut self, one: Addressed, position: u64) -> Result<(RecipientKey, Recipient), Rejected> {
        let Addressed { phone, fit, next: _ } = one;
        let rejected = |unfit: Unfit| Rejected { position, phone, reason: unfit.reason, field: unfit.field };
        let (key, recipient) = match fit {
            Ok(fit) => fit,
            Err(unfit) => return Err(rejected(unfit)),
        };
        if self.suppressed.contains(&recipient.phone) {
            return Err(rejected(Rejection::OptedOut.into()));
        }
        if self.taken.insert(key) { Ok((key, recipient)) } else { Err(rejected(Rejection::Duplicate.into())) }
    }
}
