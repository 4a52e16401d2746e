//! The consent ledger. An entry is stored twice, among those of its number and among all of the account, in one transaction
//! with what the number's standing is afterwards. Entries are never changed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::consent::{Confirmation, Consent, Said, Settings, Source, Standing};
use hantar_domain::ids::{DeviceId, MessageId, UserId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{ConsentPage, Consents, Idempotency, Noted, Peer, PortError};

use crate::idempotency::Known;
use crate::items::{Fields, Item, NewItem, number, text, texts, time};
use crate::places::{Place, Table, consent_list_of, consents_of, ordered_time};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// How often an entry begins anew because somebody else enters something about the same number.
const LOOKS: usize = 8;
/// How many entries of one moment a page takes in beyond its size.
const ONE_MOMENT: usize = 1_000;
/// What an idempotency key's entry calls a consent, and settings.
const KIND: &str = "cs";

fn standing_item(place: &Place, standing: &Standing) -> NewItem {
    let (message, user) = ids(standing.source);
    NewItem::at(place)
        .with("sd", text(standing.said.word()))
        .with("so", text(standing.source.word()))
        .maybe("m", message.map(number))
        .maybe("us", user.map(number))
        .with("t", time(standing.at))
}

fn entry_item(place: &Place, entry: &Consent) -> Item {
    let standing = Standing { said: entry.said, source: entry.source, at: entry.at };
    standing_item(place, &standing)
        .with("p", text(entry.phone.digits()))
        .maybe("nt", entry.note.as_deref().map(text))
        .flag("tn", entry.turned)
        .done()
}

const fn ids(source: Source) -> (Option<MessageId>, Option<UserId>) {
    match source {
        Source::Message(message) => (Some(message), None),
        Source::Person(user) => (None, Some(user)),
        Source::Contact | Source::Import => (None, None),
    }
}

fn read_standing(item: &Item) -> Result<Standing, PortError> {
    let fields = Fields(item);
    let (message, user) = (fields.maybe_number("m")?.map(MessageId), fields.maybe_number("us")?.map(UserId));
    let source = fields.word("so", |word| {
        let sources =
            [message.map(Source::Message), user.map(Source::Person), Some(Source::Contact), Some(Source::Import)];
        sources.into_iter().flatten().find(|source| source.word() == word)
    })?;
    Ok(Standing { said: fields.word("sd", Said::from_word)?, source, at: fields.time("t")? })
}

fn read(item: &Item) -> Result<Consent, PortError> {
    let fields = Fields(item);
    let Standing { said, source, at } = read_standing(item)?;
    Ok(Consent {
        phone: fields.word("p", PhoneNumber::from_e164)?,
        said,
        source,
        note: fields.owned("nt")?,
        at,
        turned: fields.flag("tn")?,
    })
}

#[async_trait]
impl Consents for TenantStore {
    async fn suppressed(&self, phones: &[PhoneNumber]) -> Result<BTreeSet<PhoneNumber>, PortError> {
        let phones: BTreeSet<_> = phones.iter().collect();
        let places: Vec<_> = phones.into_iter().map(|phone| Place::standing(self.account, phone)).collect();
        let mut suppressed = BTreeSet::new();
        for item in self.store.get_all(Table::Business, &places).await? {
            if read_standing(&item)?.said == Said::Out {
                suppressed.insert(Fields(&item).word("sk", PhoneNumber::from_e164)?);
            }
        }
        Ok(suppressed)
    }

    async fn peer(&self, device: DeviceId, phone: &PhoneNumber) -> Result<Peer, PortError> {
        let (wrote, standing) = (Place::peer(self.account, device, phone), Place::standing(self.account, phone));
        let mut peer = Peer::default();
        for item in self.store.get_all(Table::Business, &[wrote.clone(), standing]).await? {
            if Fields(&item).sk()? == wrote.sk {
                peer.wrote_at = Some(Fields(&item).time("t")?);
            } else {
                peer.standing = Some(read_standing(&item)?);
            }
        }
        Ok(peer)
    }

    async fn standing(&self, phone: &PhoneNumber) -> Result<Option<Standing>, PortError> {
        self.store.get(&Place::standing(self.account, phone)).await?.as_ref().map(read_standing).transpose()
    }

    async fn note_consent(
        &self,
        entry: &Consent,
        name: &str,
        idempotency: Option<&Idempotency>,
    ) -> Result<Noted, PortError> {
        let place = Place::consent(self.account, &entry.phone, entry.at, name);
        for _ in 0..LOOKS {
            match self.stands_for(idempotency, KIND, entry.at).await? {
                Known::Nothing => {}
                Known::Same(_) => return self.noted_before(entry).await,
                Known::Other => return Ok(Noted::KeyReused),
            }
            let seen = self.standing(&entry.phone).await?;
            // Something said later may be known already.
            let counts = seen.is_none_or(|seen| seen.at <= entry.at);
            let turned = counts && seen.map_or(entry.said == Said::Out, |seen| seen.said != entry.said);
            let entry = Consent { turned, ..entry.clone() };
            let listed = Place::listed_consent(self.account, &entry.phone, entry.at, name);
            let key = idempotency.map(|key| self.put_key(key, KIND, u64::from(turned), entry.at));
            let writes = [
                Some(Write::put(&place, entry_item(&place, &entry)).if_new()),
                Some(Write::put(&listed, entry_item(&listed, &entry))),
                counts.then(|| self.stand(&entry, seen)),
                key,
            ];
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes.into_iter().flatten())?;
            match self.store.transact(&transaction).await? {
                Committed::Done => return Ok(Noted::Done(Box::new(entry))),
                Committed::Refused(refusals) => {
                    if let Some(Refusal::Condition(Some(known))) = refusals.into_iter().next() {
                        return Ok(Noted::Done(Box::new(read(&known)?)));
                    }
                }
            }
        }
        Err(PortError::Conflict)
    }

    async fn consents_of(&self, phone: &PhoneNumber, limit: usize) -> Result<Vec<Consent>, PortError> {
        let query =
            Query::beginning(Table::Business, consents_of(self.account), format!("{}#", phone.digits())).backwards();
        self.store.first(&query, limit).await?.iter().map(read).collect()
    }

    async fn consents(&self, before: Option<Timestamp>, limit: usize) -> Result<ConsentPage, PortError> {
        let partition = consent_list_of(self.account);
        let query = match before {
            Some(before) => Query::before(Table::Business, partition, ordered_time(before)),
            None => Query::all(Table::Business, partition),
        };
        let items = self.store.first(&query.backwards(), limit + 1).await?;
        let mut entries = items.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if entries.len() <= limit {
            return Ok(ConsentPage { entries, before: None });
        }
        // Those of the last moment that are not read yet would be passed over by the next page.
        let last = entries.get(limit.saturating_sub(1)).map(|entry| entry.at);
        if last == entries.last().map(|entry| entry.at)
            && let Some(last) = last
        {
            let rest = Query::beginning(Table::Business, consent_list_of(self.account), ordered_time(last));
            let rest = self.store.first(&rest.backwards(), ONE_MOMENT).await?;
            entries.retain(|entry| entry.at != last);
            entries.extend(rest.iter().map(read).collect::<Result<Vec<_>, _>>()?);
        } else {
            entries.truncate(limit);
        }
        Ok(ConsentPage { entries, before: last })
    }

    async fn consent_settings(&self) -> Result<Settings, PortError> {
        let item = self.store.get(&Place::consent_settings(self.account)).await?;
        item.map_or_else(|| Ok(Settings::default()), |item| read_settings(&item))
    }

    async fn set_consent_settings(
        &self,
        settings: &Settings,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        match self.stands_for(idempotency, KIND, at).await? {
            Known::Nothing => {}
            Known::Same(_) => return Ok(true),
            Known::Other => return Ok(false),
        }
        let place = Place::consent_settings(self.account);
        let put = Write::put(&place, settings_item(&place, settings));
        let key = idempotency.map(|key| self.put_key(key, KIND, 0, at));
        let transaction =
            Transaction::new(&self.store, self.store.fresh_token(), [Some(put), key].into_iter().flatten())?;
        if matches!(self.store.transact(&transaction).await?, Committed::Done) {
            return Ok(true);
        }
        Ok(matches!(self.stands_for(idempotency, KIND, at).await?, Known::Same(_)))
    }
}

impl TenantStore {
    /// What a number's standing is after an entry, if it is what was seen before it.
    fn stand(&self, entry: &Consent, seen: Option<Standing>) -> Write {
        let place = Place::standing(self.account, &entry.phone);
        let standing = Standing { said: entry.said, source: entry.source, at: entry.at };
        let put = Write::put(&place, standing_item(&place, &standing).done());
        match seen {
            None => put.if_new(),
            Some(seen) => put.when("t = :t AND sd = :sd").with(":t", time(seen.at)).with(":sd", text(seen.said.word())),
        }
    }

    /// What was noted under a key that is known: the newest entry that says the same from the same source.
    async fn noted_before(&self, entry: &Consent) -> Result<Noted, PortError> {
        let known = self.consents_of(&entry.phone, ONE_MOMENT).await?;
        let same = known.into_iter().find(|one| one.said == entry.said && one.source == entry.source);
        Ok(Noted::Done(Box::new(same.unwrap_or_else(|| entry.clone()))))
    }
}

const STANDARD: &str = "standard";
const TEXT: &str = "text";
const SILENCE: &str = "silence";

fn settings_item(place: &Place, settings: &Settings) -> Item {
    let (word, own) = match &settings.confirmation {
        Confirmation::Standard => (STANDARD, None),
        Confirmation::Text(own) => (TEXT, Some(own)),
        Confirmation::Silence => (SILENCE, None),
    };
    NewItem::at(place)
        .with("sw", texts(settings.stop_words.iter().cloned()))
        .with("iw", texts(settings.start_words.iter().cloned()))
        .with("cf", text(word))
        .maybe("ct", own.map(text))
        .done()
}

fn read_settings(item: &Item) -> Result<Settings, PortError> {
    let fields = Fields(item);
    let own = fields.owned("ct")?;
    Ok(Settings {
        stop_words: fields.texts("sw")?,
        start_words: fields.texts("iw")?,
        confirmation: fields.word("cf", |word| match word {
            STANDARD => Some(Confirmation::Standard),
            TEXT => own.map(Confirmation::Text),
            SILENCE => Some(Confirmation::Silence),
            _ => None,
        })?,
    })
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::AccountId;

    use super::*;

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        for (source, note) in [
            (Source::Message(MessageId(7)), Some("STOP".to_owned())),
            (Source::Person(UserId(2)), None),
            (Source::Contact, None),
            (Source::Import, Some("list of 2026".to_owned())),
        ] {
            let phone = PhoneNumber::from_e164("60123456789").unwrap();
            let entry = Consent { phone, said: Said::Out, source, note, at: Timestamp(5), turned: true };
            let place = Place::consent(AccountId(1), &entry.phone, entry.at, "m7");
            assert_eq!(read(&entry_item(&place, &entry)).unwrap(), entry);
        }
    }

    #[test]
    fn settings_are_read_back_as_they_were_written() {
        for confirmation in [Confirmation::Standard, Confirmation::Text("Bye".into()), Confirmation::Silence] {
            let settings = Settings { stop_words: vec!["taknak".into()], start_words: vec![], confirmation };
            let place = Place::consent_settings(AccountId(1));
            assert_eq!(read_settings(&settings_item(&place, &settings)).unwrap(), settings);
        }
    }
}
