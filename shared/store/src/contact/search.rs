//! Lists of contacts. One of the filters leads, by entries that stand in order; what the others ask is looked up in the
//! contacts themselves. The work of one call is bounded, and its answer says where to go on.

use std::cmp::min;
use std::collections::HashMap;

use hantar_domain::contact::Contact;
use hantar_domain::contact::search::{Search, words};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_usecases::ports::{ContactFilter, ContactPage, Members, PortError};

use super::entries::{BEFORE, at_end, named};
use super::{Record, read};
use crate::items::{Fields, Item, text};
use crate::places::{
    Place, Table, contacts_of, members_of, numbers_of, opted_out_of, references_of, reversed, words_of,
};
use crate::reading::Query;
use crate::tenant::TenantStore;

/// How many entries one call looks at, where it need not look at the contacts.
const MOST_ENTRIES: usize = 12_000;
/// How many it looks at where words are picked out.
const MOST_PICKED: usize = 4_000;
/// How many contacts it looks up: a Worker may make some forty calls for a request.
const MOST_LOOKED_UP: usize = 1_500;
/// How many entries are read at a time where words are picked out.
const WORDS: usize = 1_000;
/// How many contacts are looked up at a time.
const LOOKED_UP: usize = 100;
/// How many words are looked at to find the rarest, and how many entries of each.
const MOST_LOOKS: usize = 4;
const LOOK: usize = 200;

/// What leads.
enum Lead {
    /// The contacts themselves.
    All,
    /// Entries that end in a contact's number.
    Entries,
    /// Entries that name a contact's number.
    Numbers,
    /// Entries of words: only those of the first word that begins with this, so that nobody is shown twice.
    Words(String),
}

/// A way through entries.
struct Way {
    lead: Lead,
    query: Query,
    pk: String,
    /// What is asked besides, looked up in the contacts.
    rest: ContactFilter,
    /// Whether the query itself picks some of the entries out.
    picks: bool,
}

impl TenantStore {
    pub(super) async fn page_of_contacts(
        &self,
        filter: &ContactFilter,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<ContactPage, PortError> {
        let Some(way) = self.way(filter, after).await? else { return Ok(ContactPage::default()) };
        let looks_up = way.rest != ContactFilter::default();
        let mut left = match (looks_up, way.picks) {
            (true, _) => MOST_LOOKED_UP,
            (false, true) => MOST_PICKED,
            (false, false) => MOST_ENTRIES,
        };
        let mut start = after.map(|sk| Item::from([("pk".into(), text(&way.pk)), ("sk".into(), text(sk))]));
        let (mut page, mut last) = (ContactPage::default(), after.map(str::to_owned));
        loop {
            let missing = skip - page.skipped + limit + 1 - page.contacts.len();
            let stride = if looks_up {
                LOOKED_UP
            } else if way.picks {
                WORDS
            } else {
                missing
            };
            let stride = min(stride, left);
            let found = self.store.page(&way.query, start, stride).await?;
            // What a filter passed over was read, too.
            left = left.saturating_sub(if way.picks { stride } else { found.items.len().max(1) });
            let mut entries = Vec::with_capacity(found.items.len());
            for item in found.items {
                if way.shows(&item)? {
                    entries.push(item);
                }
            }
            if !looks_up {
                let passed = min(skip - page.skipped, entries.len());
                page.skipped += passed;
                last = entries.drain(..passed).next_back().map(|item| sk(&item)).transpose()?.or(last);
            }
            for entries in entries.chunks(LOOKED_UP) {
                for (sk, contact) in self.looked_up(&way, entries).await? {
                    if contact.is_some() && page.skipped < skip {
                        page.skipped += 1;
                    } else if let Some(contact) = contact {
                        if page.contacts.len() == limit {
                            page.next = last;
                            return Ok(page);
                        }
                        page.contacts.push(contact);
                    }
                    last = Some(sk);
                }
            }
            start = found.next;
            let Some(next) = &start else { return Ok(page) };
            if left == 0 {
                page.next = Some(sk(next)?);
                return Ok(page);
            }
        }
    }

    /// How to go; `None` where nobody can be found. The same way for each page.
    async fn way(&self, filter: &ContactFilter, after: Option<&str>) -> Result<Option<Way>, PortError> {
        let account = self.account;
        let mut rest = filter.clone();
        let way = |lead, pk: String, query: Query, rest| Way { lead, query, pk, rest, picks: false };
        if let Some(reference) = rest.external_id.take() {
            let (pk, prefix) = references_of(account, &reference);
            let query = Query::beginning(Table::Engine, pk.clone(), prefix).backwards();
            return Ok(Some(way(Lead::Entries, pk, query, rest)));
        }
        match rest.search.take() {
            Some(Search::Digits(digits)) => {
                let backwards = reversed(&digits);
                let pk = numbers_of(account, &backwards);
                let query = Query::beginning(Table::Engine, pk.clone(), backwards);
                return Ok(Some(way(Lead::Numbers, pk, query, rest)));
            }
            Some(Search::Words(words)) => return self.way_by_words(words, rest, after).await,
            None => {}
        }
        let listed = |pk: String, rest| {
            let query = Query::all(Table::Engine, pk.clone()).backwards();
            Ok(Some(way(Lead::Entries, pk, query, rest)))
        };
        if let Some(group) = rest.group.take() {
            return listed(members_of(account, group), rest);
        }
        if rest.opted_out == Some(true) {
            rest.opted_out = None;
            return listed(opted_out_of(account), rest);
        }
        let pk = contacts_of(account);
        Ok(Some(way(Lead::All, pk.clone(), Query::all(Table::Business, pk).backwards(), rest)))
    }

    /// The rarest word leads; the others are picked out by what its entries say.
    async fn way_by_words(
        &self,
        words: Vec<String>,
        rest: ContactFilter,
        after: Option<&str>,
    ) -> Result<Option<Way>, PortError> {
        let mut words = without_beginnings(&words);
        let lead = match after.and_then(|after| words.iter().position(|word| after.starts_with(word.as_str()))) {
            Some(index) => index,
            None => self.rarest(&words).await?,
        };
        if words.is_empty() {
            return Ok(None);
        }
        let lead = words.swap_remove(lead);
        let pk = words_of(self.account, &lead);
        let names = (0..words.len()).map(|index| format!(":w{index}"));
        let values: HashMap<_, _> =
            names.clone().zip(words.iter().map(|word| text(format!("{BEFORE}{word}")))).collect();
        let filter: Vec<_> = names.map(|name| format!("contains(n, {name})")).collect();
        let picks = !filter.is_empty();
        let query = Query::beginning(Table::Engine, pk.clone(), lead.clone()).only(filter.join(" AND "), values);
        Ok(Some(Way { lead: Lead::Words(lead), query, pk, rest, picks }))
    }

    /// Which of several words has the fewest entries, as far as a short look at each tells; of those that it cannot tell
    /// apart, the longest, which comes first.
    async fn rarest(&self, words: &[String]) -> Result<usize, PortError> {
        if words.len() < 2 {
            return Ok(0);
        }
        let looks = words.iter().take(MOST_LOOKS).map(async |word| {
            let query = Query::beginning(Table::Engine, words_of(self.account, word), word.clone());
            let page = self.store.page(&query, None, LOOK).await?;
            Ok::<_, PortError>(if page.next.is_some() { LOOK } else { page.items.len() })
        });
        let counts = futures::future::try_join_all(looks).await?;
        Ok(counts.iter().enumerate().min_by_key(|(_, count)| **count).map_or(0, |(index, _)| index))
    }

    /// The contacts of entries, in their order, each with the sort key of its entry; `None` for one that is gone or is not
    /// asked for.
    async fn looked_up(&self, way: &Way, entries: &[Item]) -> Result<Vec<(String, Option<Contact>)>, PortError> {
        let ids = entries.iter().map(|entry| way.contact(entry)).collect::<Result<Vec<_>, _>>()?;
        let mut records = match way.lead {
            Lead::All => {
                entries.iter().map(|item| read(item).map(|one| (one.contact.id, one))).collect::<Result<_, _>>()?
            }
            _ => self.contact_records(&ids).await?,
        };
        let mut found = Vec::with_capacity(entries.len());
        for (entry, id) in entries.iter().zip(ids) {
            let record = records.remove(&id).filter(|record| asked_for(&way.rest, record));
            found.push((sk(entry)?, record.map(|record| record.contact)));
        }
        Ok(found)
    }

    pub(crate) async fn part_of_group(
        &self,
        group: GroupId,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<Members, PortError> {
        let start = after.map(|after| {
            let place = Place::member(self.account, group, after);
            Item::from([("pk".into(), text(place.pk)), ("sk".into(), text(place.sk))])
        });
        let query = Query::all(Table::Engine, members_of(self.account, group));
        let page = self.store.page(&query, start, limit).await?;
        let ids = page.items.iter().map(at_end).collect::<Result<Vec<_>, _>>()?;
        let records = self.contact_records(&ids).await?;
        let contacts = ids.iter().filter_map(|id| records.get(id)).map(|record| record.contact.clone()).collect();
        Ok(Members { contacts, next: page.next.as_ref().map(at_end).transpose()? })
    }
}

impl Way {
    /// Whether an entry stands for its contact.
    fn shows(&self, entry: &Item) -> Result<bool, PortError> {
        let Lead::Words(lead) = &self.lead else { return Ok(true) };
        let fields = Fields(entry);
        let own = fields.word("sk", |sk| Some(sk.rsplit_once('#')?.0.to_owned()))?;
        let first = fields.text("n")?.split(BEFORE).filter(|word| word.starts_with(lead.as_str())).min();
        Ok(first.is_none_or(|first| first == own))
    }

    fn contact(&self, entry: &Item) -> Result<ContactId, PortError> {
        if matches!(self.lead, Lead::Numbers) { named(entry) } else { at_end(entry) }
    }
}

/// The words, the longest first, without those that another begins with, which asks for no less. So what one page ended with
/// begins with one of them alone, and tells the next page which one led.
fn without_beginnings(words: &[String]) -> Vec<String> {
    let longer = |word: &String| words.iter().any(|other| other != word && other.starts_with(word.as_str()));
    let mut kept: Vec<String> = words.iter().filter(|word| !longer(word)).cloned().collect();
    kept.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    kept
}

/// Whether a contact is what is asked for besides.
fn asked_for(rest: &ContactFilter, record: &Record) -> bool {
    let contact = &record.contact;
    let found = |search: &Search| match search {
        Search::Digits(digits) => contact.phone.digits().ends_with(digits.as_str()),
        Search::Words(wanted) => {
            let own = contact.name.as_deref().map(words).unwrap_or_default();
            !wanted.is_empty() && wanted.iter().all(|wanted| own.iter().any(|own| own.starts_with(wanted.as_str())))
        }
    };
    rest.search.as_ref().is_none_or(found)
        && rest.external_id.as_ref().is_none_or(|reference| contact.external_id.as_ref() == Some(reference))
        && rest.group.is_none_or(|group| record.groups.contains(&group))
        && rest.opted_out.is_none_or(|opted_out| contact.opted_out == opted_out)
}

fn sk(item: &Item) -> Result<String, PortError> {
    Fields(item).sk().map(str::to_owned)
}
