//! The end of an account: noted with the work that brings it, and then everything deleted, step by step. Each step finds what
//! is left; whoever dies in one is followed by another.

use futures::FutureExt;
use hantar_domain::ids::{AccountId, ContactId, DeviceId, Shard};
use hantar_domain::time::Timestamp;
use hantar_domain::user::Email;
use hantar_usecases::ports::{Closing, Idempotency, Keep, PortError, Sequence, Work};

use crate::items::{Fields, Item, NewItem, number, text, time};
use crate::places::{
    DEVICE, DUE_LINES, INVITATION, Place, Table, USER, contacts_of, keys_of, of_account, of_device, part_of_account,
    work_line,
};
use crate::reading::Query;
use crate::store::Store;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal};
use crate::work;
use crate::writing::{Write, Written, side_by_side};

/// How many devices and people are looked for at a time: more than an account has.
const LISTED: usize = 10_000;
/// How many parts of one kind are looked through in one step.
const PARTS: u64 = 1_000;
/// Partitions with a name of two letters; those with one are found by themselves. Whoever adds such a kind adds it here.
const PAIRS: [&str; 4] = ["KE", "KN", "KO", "SL"];
/// A kind of number of an account.
type SequenceOf = fn(AccountId) -> Sequence;

/// Partitions that an account has one of for each number of a sequence: `A#{a}#{letter}#{number}`. Whoever adds such a kind
/// adds it here. Those with a letter alone, `A#{a}#{letter}`, are found by themselves.
const NUMBERED: [(&str, SequenceOf); 5] = [
    ("B", Sequence::Bulks),
    ("C", Sequence::Campaigns),
    ("KG", Sequence::Groups),
    ("I", Sequence::Imports),
    ("E", Sequence::Exports),
];

fn read(item: &Item) -> Result<Closing, PortError> {
    let fields = Fields(item);
    Ok(Closing {
        by: fields.number("us")?,
        email: fields.word("em", |email| Email::parse(email).ok())?,
        at: fields.time("t")?,
        due_at: fields.time("du")?,
        begun_at: fields.maybe_time("bg")?,
    })
}

impl TenantStore {
    pub(crate) async fn own_closing(&self) -> Result<Option<Closing>, PortError> {
        self.store.get(&Place::closing(self.account)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn note_closing(
        &self,
        closing: &Closing,
        key: Option<&Idempotency>,
    ) -> Result<Closing, PortError> {
        let keep = |closing: &Closing| {
            let number = u64::try_from(closing.due_at.0).unwrap_or_default();
            key.map(|key| Keep { idempotency: key.clone(), number, sealed: None, at: self.store.now() })
        };
        let place = Place::closing(self.account);
        let item = NewItem::at(&place)
            .with("us", number(closing.by))
            .with("em", text(closing.email.as_str()))
            .with("t", time(closing.at))
            .with("du", time(closing.due_at))
            .maybe("bg", closing.begun_at.map(time));
        let writes = [Write::put(&place, item.done()).if_new(), work::arm(self.account, Work::Erase, closing.due_at)];
        let Committed::Refused(refusals) = self.write_keeping(writes, keep(closing).as_ref()).await? else {
            return Ok(closing.clone());
        };
        let Some(Refusal::Condition(Some(item))) = refusals.first() else { return Err(PortError::Conflict) };
        let noted = read(item)?;
        if let Some(keep) = keep(&noted) {
            self.keep_key(&keep).await?;
        }
        Ok(noted)
    }

    pub(crate) async fn take_closing_back(&self, keep: Option<&Keep>) -> Result<bool, PortError> {
        let writes = [
            Write::delete(&Place::closing(self.account)).when("attribute_exists(pk) AND attribute_not_exists(bg)"),
            Write::delete(&Place::work(self.account, Work::Erase)),
        ];
        Ok(matches!(self.write_keeping(writes, keep).await?, Committed::Done))
    }

    pub(crate) async fn begin_end(&self, at: Timestamp) -> Result<Option<Timestamp>, PortError> {
        let begin = Write::update(&Place::closing(self.account), "SET bg = if_not_exists(bg, :at)");
        match self.store.write(begin.when("attribute_exists(pk)").with(":at", time(at))).await? {
            Written::Done(Some(item)) => Ok(read(&item)?.begun_at),
            Written::Done(None) | Written::Refused(_) => Ok(None),
        }
    }

    /// People last: as long as their items are there, their addresses are found.
    pub(crate) async fn let_nobody_in(&self) -> Result<(), PortError> {
        let tokens = self.listed_tokens().await?;
        let tokens = tokens.into_iter().flat_map(|(entry, hash)| [Place::token(&hash), entry]);
        let invitations = self.places(Table::Business, of_account(self.account), INVITATION, LISTED).await?;
        let mut places: Vec<Place> = tokens.chain(invitations).collect();
        for device in self.numbered_devices().await? {
            let shard = Shard::of(device, self.store.shards_in_all().await?);
            places.push(Place::in_shard(shard, self.account, device));
        }
        self.store.delete_all(places).await?;
        let people = Query::beginning(Table::Business, of_account(self.account), USER);
        let people = self.store.first(&people, LISTED).await?;
        let emails: Vec<Place> = people
            .iter()
            .map(|item| Ok(Place::email(&Fields(item).word("em", |email| Email::parse(email).ok())?)))
            .collect::<Result<_, PortError>>()?;
        self.store.delete_all(emails).await?;
        let people = people.iter().map(|item| place_of(Table::Business, item)).collect::<Result<_, _>>()?;
        self.store.delete_all(people).await
    }

    /// By the keys alone: the records of this release and of others.
    async fn numbered_devices(&self) -> Result<Vec<DeviceId>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), DEVICE);
        let items = self.store.first(&query, LISTED).await?;
        items.iter().map(|item| Fields(item).word("sk", |sk| sk.strip_prefix(DEVICE)?.parse().ok())).collect()
    }

    pub(crate) async fn delete_some(&self, most: usize) -> Result<bool, PortError> {
        let mut left = most;
        for device in self.numbered_devices().await? {
            for (table, partition) in
                [(Table::Engine, keys_of(device)), (Table::Business, of_device(self.account, device))]
            {
                self.delete_partition(table, partition, &mut left).await?;
            }
        }
        self.delete_contacts(&mut left).await?;
        let letters = ('A'..='Z').map(String::from).chain(PAIRS.map(String::from));
        for letters in letters {
            for table in [Table::Business, Table::Engine] {
                self.delete_partition(table, part_of_account(self.account, &letters), &mut left).await?;
            }
        }
        for (letter, sequence) in NUMBERED {
            self.delete_numbered(letter, sequence(self.account), &mut left).await?;
        }
        if left > 0 {
            self.delete_partition(Table::Engine, of_account(self.account), &mut left).await?;
            self.delete_own_items(&mut left).await?;
        }
        if left > 0 {
            self.store.delete_all(self.works().await?).await?;
        }
        Ok(left > 0)
    }

    /// One by one, with the entries that they are found by: those stand in partitions that only a contact leads to.
    async fn delete_contacts(&self, left: &mut usize) -> Result<(), PortError> {
        let places = self.places(Table::Business, contacts_of(self.account), "", *left).await?;
        let now = self.store.now();
        for place in &places {
            let id = place.sk.parse().map_err(|_| PortError::Corrupt(format!("contact {}", place.sk)))?;
            self.remove_contact(ContactId(id), None, now).await?;
        }
        *left -= places.len();
        Ok(())
    }

    /// Those with the highest numbers first: the sequence remembers how far it came, since it is set down to what is left.
    async fn delete_numbered(&self, letter: &str, sequence: Sequence, left: &mut usize) -> Result<(), PortError> {
        let place = Place::sequence(sequence);
        let Some(item) = self.store.get(&place).await? else { return Ok(()) };
        let last: u64 = Fields(&item).number("n")?;
        for number in (1..=last).rev().take(usize::try_from(PARTS).unwrap_or(usize::MAX)) {
            if *left == 0 {
                return Ok(());
            }
            let partition = format!("{}#{number}", part_of_account(self.account, letter));
            for table in [Table::Business, Table::Engine] {
                self.delete_partition(table, partition.clone(), left).await?;
            }
        }
        if *left == 0 {
            return Ok(());
        }
        if last > PARTS {
            let rest = Write::update(&place, "SET n = :n").with(":n", number(last - PARTS));
            self.store.write(rest).await?;
            *left = 0;
            return Ok(());
        }
        self.store.write(Write::delete(&place)).await.map(drop)
    }

    /// What stands beside the account, but for itself and the note that it ends.
    async fn delete_own_items(&self, left: &mut usize) -> Result<(), PortError> {
        let kept = [Place::account(self.account), Place::closing(self.account)];
        let places = self.places(Table::Business, of_account(self.account), "", left.saturating_add(2)).await?;
        let mut places: Vec<Place> = places.into_iter().filter(|place| !kept.contains(place)).collect();
        places.truncate(*left);
        *left -= places.len();
        self.store.delete_all(places).await
    }

    async fn delete_partition(&self, table: Table, partition: String, left: &mut usize) -> Result<(), PortError> {
        if *left == 0 {
            return Ok(());
        }
        let places = self.places(table, partition, "", *left).await?;
        *left -= places.len();
        self.store.delete_all(places).await
    }

    /// Other long work of the account.
    async fn works(&self) -> Result<Vec<Place>, PortError> {
        let (mut places, ours) = (Vec::new(), Place::work(self.account, Work::Erase));
        for line in 0..DUE_LINES {
            places.extend(self.places(Table::Engine, work_line(line), &format!("{}#", self.account), LISTED).await?);
        }
        places.retain(|place| *place != ours);
        Ok(places)
    }

    async fn places(
        &self,
        table: Table,
        partition: String,
        prefix: &str,
        most: usize,
    ) -> Result<Vec<Place>, PortError> {
        let query = match prefix {
            "" => Query::all(table, partition),
            prefix => Query::beginning(table, partition, prefix),
        };
        self.store.first(&query, most).await?.iter().map(|item| place_of(table, item)).collect()
    }

    pub(crate) async fn delete_itself(&self) -> Result<(), PortError> {
        let sequences = [
            Sequence::Messages,
            Sequence::Endpoints,
            Sequence::Contacts,
            Sequence::Templates,
            Sequence::Invitations,
            Sequence::Uploads,
        ];
        let mut places: Vec<Place> = sequences.map(|sequence| Place::sequence(sequence(self.account))).into();
        places.extend([Place::listed_account(self.account), Place::account(self.account)]);
        self.store.delete_all(places).await?;
        // Last: until then whoever comes after a death goes on from here.
        self.store.write(Write::delete(&Place::closing(self.account))).await.map(drop)
    }
}

fn place_of(table: Table, item: &Item) -> Result<Place, PortError> {
    let fields = Fields(item);
    Ok(Place { table, pk: fields.text("pk")?.to_owned(), sk: fields.text("sk")?.to_owned() })
}

impl Store {
    async fn delete_all(&self, places: Vec<Place>) -> Result<(), PortError> {
        let deletes = places.iter().map(|place| self.write(Write::delete(place)).boxed()).collect();
        side_by_side(deletes).await.map(drop)
    }
}
