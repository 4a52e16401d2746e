//! Many contacts at a time: read together, written together as far as a transaction goes, each by itself where somebody
//! else was faster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::FutureExt;
use hantar_domain::contact::{Contact, Said};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Consents, ContactDraft, PortError, Upserted};

use super::Record;
use super::change::{Change, change};
use super::revise::{Outcome, ROUNDS};
use crate::tenant::TenantStore;
use crate::transaction::MAX_ACTIONS;
use crate::writing::side_by_side;

/// How many numbers the consent ledger is asked about at a time.
const ASKED: usize = 1_000;

/// What is asked of one contact, by its places in the call, and what it comes to.
struct Unit {
    drafts: Vec<usize>,
    answers: Vec<Upserted>,
    change: Change,
}

impl TenantStore {
    pub(super) async fn put_drafts(&self, drafts: &[ContactDraft]) -> Result<Vec<Upserted>, PortError> {
        let groups = self.groups_of_drafts(drafts).await?;
        let mut by_phone: HashMap<&PhoneNumber, Vec<usize>> = HashMap::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            by_phone.entry(&draft.phone).or_default().push(index);
        }
        // In the order of the call, so that a file is written from its beginning on.
        let mut open: Vec<Vec<usize>> = by_phone.into_values().collect();
        open.sort_unstable();
        let mut answers: Vec<Option<Upserted>> = vec![None; drafts.len()];
        for round in 0..ROUNDS {
            let units = self.units(drafts, open, &groups).await?;
            open = Vec::new();
            for (unit, done) in self.write_units(units, round == 0).await? {
                if !done {
                    open.push(unit.drafts);
                    continue;
                }
                for (index, answer) in unit.drafts.into_iter().zip(unit.answers) {
                    answers[index] = Some(answer);
                }
            }
            if open.is_empty() {
                return answers.into_iter().collect::<Option<_>>().ok_or(PortError::Conflict);
            }
            self.pause_after(round).await;
        }
        Err(PortError::Conflict)
    }

    /// What has to be known for a draft besides its contact: which of its groups there are, and who opted out.
    pub(super) async fn around_drafts(
        &self,
        drafts: &[ContactDraft],
    ) -> Result<(BTreeSet<GroupId>, BTreeSet<PhoneNumber>), PortError> {
        let phones: Vec<_> = drafts.iter().map(|draft| draft.phone.clone()).collect();
        Ok((self.groups_of_drafts(drafts).await?, self.opted_out_among(&phones).await?))
    }

    async fn groups_of_drafts(&self, drafts: &[ContactDraft]) -> Result<BTreeSet<GroupId>, PortError> {
        let named: BTreeSet<_> = drafts.iter().flat_map(|draft| draft.groups.iter().copied()).collect();
        self.known_groups(&named.into_iter().collect::<Vec<_>>()).await
    }

    async fn opted_out_among(&self, phones: &[PhoneNumber]) -> Result<BTreeSet<PhoneNumber>, PortError> {
        let mut found = BTreeSet::new();
        for phones in phones.chunks(ASKED) {
            found.append(&mut self.suppressed(phones).await?);
        }
        Ok(found)
    }

    async fn units(
        &self,
        drafts: &[ContactDraft],
        open: Vec<Vec<usize>>,
        groups: &BTreeSet<GroupId>,
    ) -> Result<Vec<Unit>, PortError> {
        let phone = |indices: &Vec<usize>| drafts[indices[0]].phone.clone();
        let phones: Vec<_> = open.iter().map(phone).collect();
        let records = self.records_by_phone(&phones).await?;
        let opted_out = self.opted_out_among(&phones).await?;
        let unit = |indices: Vec<usize>| {
            let old = records.get(&phone(&indices));
            let (mut now, mut answers) = (old.cloned(), Vec::with_capacity(indices.len()));
            for index in &indices {
                let draft = &drafts[*index];
                let (record, answer) = self.drafted(now.as_ref(), draft, groups, opted_out.contains(&draft.phone));
                now = Some(record);
                answers.push(answer);
            }
            // One version for all of them.
            let now = now.map(|now| Record { version: old.map_or(1, |old| old.version + 1), ..now });
            let same = |old: &Record| now.as_ref().is_some_and(|now| now.says_as(old));
            let change = if old.is_some_and(same) { Change::default() } else { change(old, now.as_ref()) };
            Unit { drafts: indices, answers, change }
        };
        Ok(open.into_iter().map(unit).collect())
    }

    /// What a draft makes of a contact, and what is answered then.
    pub(super) fn drafted(
        &self,
        old: Option<&Record>,
        draft: &ContactDraft,
        groups: &BTreeSet<GroupId>,
        opted_out: bool,
    ) -> (Record, Upserted) {
        let mut record = old.cloned().unwrap_or_else(|| Record { version: 0, ..self.blank(draft) });
        // A copy of what the ledger says, set right by each save.
        record.contact.opted_out = opted_out;
        let said = Said {
            name: draft.name.as_ref(),
            external_id: draft.external_id.as_ref(),
            attributes: &draft.attributes,
            opted_in: draft.opted_in.as_ref(),
        };
        if record.contact.learn(said).is_err() {
            // The contact holds as much as it may; one that is new is made without what would not fit.
            let attributes = &BTreeMap::new();
            if old.is_none() {
                record.contact.learn(Said { attributes, ..said }).unwrap_or_default();
            }
        } else {
            record.join(draft.groups.iter().copied().filter(|group| groups.contains(group)));
        }
        let record = match old {
            Some(old) if record.says_as(old) => old.clone(),
            Some(old) => record.moved_on(old, draft.at),
            None => Record { version: 1, ..record },
        };
        let contact = record.contact.clone();
        // Under its own number it is a repeat of what made it.
        let answer = if contact.id == draft.id { Upserted::Created(contact) } else { Upserted::Updated(contact) };
        (record, answer)
    }

    fn blank(&self, draft: &ContactDraft) -> Record {
        let contact = Contact {
            account: self.account,
            id: draft.id,
            phone: draft.phone.clone(),
            name: None,
            external_id: None,
            attributes: BTreeMap::new(),
            opted_out: false,
            opted_in: None,
            created_at: draft.at,
            updated_at: draft.at,
        };
        Record { contact, groups: BTreeSet::new(), version: 0 }
    }

    /// Changes the groups of contacts; who does not exist is passed over.
    pub(crate) async fn regroup(
        &self,
        ids: &[ContactId],
        how: impl Fn(&mut BTreeSet<GroupId>) + Send + Sync,
        at: Timestamp,
    ) -> Result<(), PortError> {
        let mut open: Vec<_> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        for round in 0..ROUNDS {
            let records = self.contact_records(&open).await?;
            let unit = |(index, id): (usize, &ContactId)| {
                let old = records.get(id)?;
                let mut new = old.clone();
                how(&mut new.groups);
                let change = (new != *old).then(|| change(Some(old), Some(&new.moved_on(old, at))))?;
                Some(Unit { drafts: vec![index], answers: Vec::new(), change })
            };
            let units = open.iter().enumerate().filter_map(unit).collect();
            let written = self.write_units(units, round == 0).await?;
            let outrun = written.into_iter().filter(|(_, done)| !done).flat_map(|(unit, _)| unit.drafts);
            open = outrun.map(|index| open[index]).collect();
            if open.is_empty() {
                return Ok(());
            }
            self.pause_after(round).await;
        }
        Err(PortError::Conflict)
    }

    /// Writes what has to be written, and says of each unit whether it is. What makes contacts goes together, if `together`.
    async fn write_units(&self, units: Vec<Unit>, together: bool) -> Result<Vec<(Unit, bool)>, PortError> {
        let mut packs: Vec<Vec<Unit>> = Vec::new();
        let mut room = 0;
        for unit in units {
            // One action is for the counts. A single write needs no transaction, which would cost twice as much.
            let actions = unit.change.writes.len();
            let alone = actions <= 1 || !together;
            match packs.last_mut() {
                Some(pack) if !alone && actions <= room => pack.push(unit),
                _ => {
                    packs.push(vec![unit]);
                    room = if alone { 0 } else { MAX_ACTIONS - 1 };
                }
            }
            room = room.saturating_sub(actions);
        }
        let works = packs.into_iter().map(|pack| self.write_pack(pack).boxed()).collect();
        Ok(side_by_side(works).await?.into_iter().flatten().collect())
    }

    async fn write_pack(&self, pack: Vec<Unit>) -> Result<Vec<(Unit, bool)>, PortError> {
        let mut whole = Change::default();
        for unit in &pack {
            whole.writes.extend(unit.change.writes.iter().cloned());
            whole.tally.join(&unit.change.tally);
        }
        let done = whole.writes.is_empty() || matches!(self.commit_change(&whole, None).await?, Outcome::Done);
        Ok(pack.into_iter().map(|unit| (unit, done)).collect())
    }
}
