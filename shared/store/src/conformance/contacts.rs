//! Contacts: one for each number, found by all that they are found by, counted exactly.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use hantar_domain::contact::search::Search;
use hantar_domain::contact::{Contact, ContactEdit, Edit, MAX_ATTRIBUTES, OptIn};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_usecases::ports::{ContactCounts, ContactDraft, ContactFilter, Deleted, Edited, Saved, Sequence, Upserted};

use super::{Home, World};

/// A number that exists once for each `n`.
pub(super) fn phone(n: u64) -> PhoneNumber {
    PhoneNumber::from_e164(&format!("60123{:06}", n * 7_919 % 1_000_000)).unwrap()
}

impl Home {
    /// A draft under a number that was not used yet.
    pub(super) async fn contact_draft(&self, world: &World, n: u64) -> ContactDraft {
        ContactDraft {
            id: ContactId(world.number(Sequence::Contacts(self.account)).await),
            phone: phone(n),
            name: None,
            external_id: None,
            attributes: BTreeMap::new(),
            groups: vec![],
            opted_in: None,
            at: self.now(),
        }
    }

    /// A contact of this name.
    pub(super) async fn contact_named(&self, world: &World, n: u64, name: &str) -> Contact {
        let draft = ContactDraft { name: Some(name.into()), ..self.contact_draft(world, n).await };
        self.upserted(draft).await
    }

    async fn upserted(&self, draft: ContactDraft) -> Contact {
        let mut answers = self.tenant.contacts().upsert(&[draft]).await.unwrap();
        contact(answers.remove(0))
    }

    pub(super) async fn contact_counts(&self) -> ContactCounts {
        self.tenant.contacts().contact_counts().await.unwrap()
    }

    async fn found(&self, filter: &ContactFilter) -> Vec<u64> {
        let page = self.tenant.contacts().list_contacts(filter, None, 0, 100).await.unwrap();
        assert_eq!(page.next, None);
        page.contacts.iter().map(|contact| contact.id.0).collect()
    }

    async fn searched(&self, text: &str) -> Vec<u64> {
        self.found(&searching(text)).await
    }
}

fn searching(text: &str) -> ContactFilter {
    ContactFilter { search: Some(Search::parse(text, &[Region::MALAYSIA])), ..ContactFilter::default() }
}

fn contact(answer: Upserted) -> Contact {
    match answer {
        Upserted::Created(contact) | Upserted::Updated(contact) => contact,
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is not given stays.
pub async fn a_contact_is_made_once_and_changed_after_that(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let opted_in = Some(OptIn { source: "web form".into(), at: home.now() });
    let first = ContactDraft {
        name: Some("Ali".into()),
        attributes: map(&[("plan", "gold"), ("city", "Ipoh")]),
        opted_in: opted_in.clone(),
        ..home.contact_draft(&world, 1).await
    };
    let made = contacts.upsert(std::slice::from_ref(&first)).await.unwrap();
    let [Upserted::Created(made)] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!((made.id, &made.phone, made.created_at), (first.id, &first.phone, first.at));
    let second = ContactDraft {
        external_id: Some("crm-1".into()),
        attributes: map(&[("plan", "silver")]),
        ..home.contact_draft(&world, 1).await
    };
    let changed = contacts.upsert(std::slice::from_ref(&second)).await.unwrap();
    let expected = Contact {
        external_id: Some("crm-1".into()),
        attributes: map(&[("plan", "silver"), ("city", "Ipoh")]),
        updated_at: second.at,
        ..made.clone()
    };
    assert_eq!(changed, [Upserted::Updated(expected.clone())]);
    assert_eq!(contacts.contact(made.id).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(contacts.contact_by_phone(&phone(1)).await.unwrap(), Some(expected));
    assert_eq!(contacts.contact(second.id).await.unwrap(), None);
    assert_eq!(contacts.contact_by_phone(&phone(2)).await.unwrap(), None);
}

/// Each brings an attribute and a group of its own.
pub async fn many_upserts_of_one_number_at_once_make_one_contact_and_lose_nothing(world: World) {
    let home = world.home(0).await;
    let group = home.group_named(&world, "VIP").await;
    let mut drafts = Vec::new();
    for n in 0..64 {
        let attributes = [(format!("f{n}"), n.to_string())].into();
        let groups = if n % 2 == 0 { vec![group] } else { vec![] };
        drafts.push(ContactDraft { attributes, groups, ..home.contact_draft(&world, 1).await });
    }
    let contacts = home.tenant.contacts();
    let answers = join_all(drafts.iter().map(|draft| contacts.upsert(std::slice::from_ref(draft)))).await;
    let answers: Vec<_> = answers.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Upserted::Created(_))).count(), 1);
    let ids: BTreeSet<_> = answers.into_iter().map(|answer| contact(answer).id).collect();
    assert_eq!(ids.len(), 1);
    let stored = contacts.contact_by_phone(&phone(1)).await.unwrap().unwrap();
    let expected: BTreeMap<_, _> = (0..64).map(|n| (format!("f{n}"), n.to_string())).collect();
    assert_eq!(stored.attributes, expected);
    let counts = home.contact_counts().await;
    assert_eq!((counts.all, counts.groups), (1, [(group, 1)].into()));
}

/// As if they had come one after the other.
pub async fn drafts_of_one_number_in_one_call_follow_each_other(world: World) {
    let home = world.home(0).await;
    let mut drafts = Vec::new();
    for (n, name) in [(1, "Ali"), (2, "Abu"), (1, "Ali bin Abu"), (1, "Ali bin Abu")] {
        drafts.push(ContactDraft { name: Some(name.into()), ..home.contact_draft(&world, n).await });
    }
    let answers = home.tenant.contacts().upsert(&drafts).await.unwrap();
    let names = |answer: &Upserted| contact(answer.clone()).name.unwrap();
    assert_eq!(answers.iter().map(names).collect::<Vec<_>>(), ["Ali", "Abu", "Ali bin Abu", "Ali bin Abu"]);
    let made: Vec<_> = answers.iter().map(|answer| matches!(answer, Upserted::Created(_))).collect();
    assert_eq!(made, [true, true, false, false]);
    assert_eq!(home.contact_counts().await.all, 2);
    assert_eq!(home.searched("bin").await.len(), 1);
}

/// Not even when it was changed last.
pub async fn a_repeat_of_drafts_changes_nothing_more(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let mut drafts = Vec::new();
    for n in 0..3 {
        drafts.push(ContactDraft { name: Some(format!("Ali {n}")), ..home.contact_draft(&world, n).await });
    }
    let first = contacts.upsert(&drafts).await.unwrap();
    for draft in &mut drafts {
        draft.at = home.now();
    }
    assert_eq!(contacts.upsert(&drafts).await.unwrap(), first);
    assert_eq!(home.contact_counts().await.all, 3);
}

/// More than a transaction or a read holds.
pub async fn many_drafts_are_all_stored_and_found(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let mut drafts = Vec::new();
    for n in 0..250 {
        drafts.push(ContactDraft { name: Some(format!("Person {n} Tan")), ..home.contact_draft(&world, n).await });
    }
    let answers = contacts.upsert(&drafts).await.unwrap();
    let in_order = answers.iter().zip(&drafts).all(|(answer, draft)| {
        matches!(answer, Upserted::Created(contact) if contact.id == draft.id && contact.phone == draft.phone)
    });
    assert!(in_order);
    let ids: Vec<_> = drafts.iter().rev().map(|draft| draft.id).collect();
    let found = contacts.contacts_by_id(&ids).await.unwrap();
    assert_eq!(found.iter().map(|contact| contact.id).collect::<Vec<_>>(), ids);
    let phones: Vec<_> = (0..300).map(phone).collect();
    assert_eq!(contacts.contacts_by_phone(&phones).await.unwrap().len(), 250);
    assert_eq!(home.contact_counts().await.all, 250);
}

/// Nothing of it, and the others of the call all the same.
pub async fn a_draft_that_does_not_fit_changes_nothing(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let full: BTreeMap<_, _> = (0..MAX_ATTRIBUTES).map(|n| (format!("f{n}"), String::new())).collect();
    let first = ContactDraft { attributes: full.clone(), ..home.contact_draft(&world, 1).await };
    contacts.upsert(&[first]).await.unwrap();
    let name = Some("Ali".to_owned());
    let more = ContactDraft { name, attributes: map(&[("one", "more")]), ..home.contact_draft(&world, 1).await };
    let other = home.contact_draft(&world, 2).await;
    let answers = contacts.upsert(&[more, other]).await.unwrap();
    assert!(matches!(&answers[0], Upserted::Updated(contact) if contact.attributes == full && contact.name.is_none()));
    assert!(matches!(&answers[1], Upserted::Created(_)));
}

/// However often, and whatever became of the contact since.
pub async fn a_key_answers_whether_the_first_one_made_or_changed(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    for (key, made) in [(1, true), (2, false)] {
        for _ in 0..3 {
            let draft = ContactDraft { name: Some("Ali".into()), ..home.contact_draft(&world, 1).await };
            let answer = contacts.save(&draft, &home.key(key, 1)).await.unwrap();
            let Saved::Done(answer) = answer else { panic!("{answer:?}") };
            assert_eq!(matches!(answer, Upserted::Created(_)), made);
        }
    }
    let draft = home.contact_draft(&world, 2).await;
    assert_eq!(contacts.save(&draft, &home.key(1, 2)).await.unwrap(), Saved::KeyReused);
    assert_eq!(contacts.contact_by_phone(&phone(2)).await.unwrap(), None);
    let (one, two) = (home.contact_draft(&world, 3).await, home.contact_draft(&world, 3).await);
    let key = home.key(3, 1);
    let (one, two) = futures::join!(contacts.save(&one, &key), contacts.save(&two, &key));
    let id = |saved| match saved {
        Saved::Done(Upserted::Created(contact)) => contact.id,
        other => panic!("{other:?}"),
    };
    assert_eq!(id(one.unwrap()), id(two.unwrap()));
}

/// And what it is found by moves with it.
pub async fn an_edit_changes_what_it_names_and_its_key_answers_again(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let made = home.contact_named(&world, 1, "Ali Baba").await;
    let edit = ContactEdit {
        name: Edit::To(Some("Abu Bakar".into())),
        external_id: Edit::To(Some("crm-1".into())),
        attributes: Edit::To(map(&[("plan", "gold")])),
        ..ContactEdit::default()
    };
    let key = home.key(1, 1);
    for _ in 0..2 {
        let answer = contacts.edit(made.id, &edit, Some(&key), home.now()).await.unwrap();
        assert!(matches!(answer, Edited::Done(contact) if contact.name.as_deref() == Some("Abu Bakar")));
    }
    assert_eq!((home.searched("ali").await, home.searched("bab").await), (vec![], vec![]));
    assert_eq!(home.searched("bak").await, [made.id.0]);
    let cleared = ContactEdit { name: Edit::To(None), ..ContactEdit::default() };
    assert_eq!(contacts.edit(made.id, &cleared, Some(&home.key(1, 2)), home.now()).await.unwrap(), Edited::KeyReused);
    let answer = contacts.edit(made.id, &cleared, None, home.now()).await.unwrap();
    assert!(matches!(answer, Edited::Done(contact) if contact.name.is_none() && contact.attributes.len() == 1));
    assert_eq!(home.searched("bak").await, [0_u64; 0]);
    assert_eq!(contacts.edit(ContactId(9_999), &cleared, None, home.now()).await.unwrap(), Edited::Missing);
    contacts.mark_opted_out(&phone(1), true, home.now()).await.unwrap();
    assert!(contacts.contact(made.id).await.unwrap().unwrap().opted_out);
    assert_eq!(home.contact_counts().await.opted_out, 1);
    contacts.mark_opted_out(&phone(1), false, home.now()).await.unwrap();
    contacts.mark_opted_out(&phone(7), true, home.now()).await.unwrap();
    assert_eq!(home.contact_counts().await.opted_out, 0);
}

/// In no list, no group, no count.
pub async fn a_deleted_contact_leaves_no_trace_and_its_number_is_free(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let group = home.group_named(&world, "VIP").await;
    let draft = ContactDraft {
        name: Some("Ali".into()),
        external_id: Some("crm-1".into()),
        groups: vec![group, GroupId(9_999)],
        ..home.contact_draft(&world, 1).await
    };
    let id = home.upserted(draft).await.id;
    assert_eq!(contacts.groups_of(id).await.unwrap(), [group], "one that does not exist is passed over");
    contacts.mark_opted_out(&phone(1), true, home.now()).await.unwrap();
    let key = home.key(1, 1);
    for _ in 0..2 {
        assert_eq!(contacts.delete_contact(id, Some(&key), home.now()).await.unwrap(), Deleted::Done);
    }
    assert_eq!(contacts.delete_contact(id, Some(&home.key(1, 2)), home.now()).await.unwrap(), Deleted::KeyReused);
    assert_eq!(contacts.delete_contact(id, None, home.now()).await.unwrap(), Deleted::Missing);
    assert_eq!(home.contact_counts().await, ContactCounts::default());
    let any = ContactFilter::default;
    for filter in [
        any(),
        searching("ali"),
        searching("0123007919"),
        ContactFilter { external_id: Some("crm-1".into()), ..any() },
        ContactFilter { group: Some(group), ..any() },
        ContactFilter { opted_out: Some(true), ..any() },
    ] {
        assert_eq!(home.found(&filter).await, [0_u64; 0], "{filter:?}");
    }
    assert!(contacts.members(group, None, 10).await.unwrap().contacts.is_empty());
    assert_ne!(home.contact_named(&world, 1, "Siti").await.id, id);
}

/// Once, and again after a death in between.
pub async fn a_merge_gives_what_lacks_and_deletes_the_other(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let groups = [home.group_named(&world, "VIP").await, home.group_named(&world, "News").await];
    let draft = home.contact_draft(&world, 1).await;
    let one =
        home.upserted(ContactDraft { attributes: map(&[("plan", "gold")]), groups: vec![groups[0]], ..draft }).await;
    let draft = home.contact_draft(&world, 2).await;
    let attributes = map(&[("plan", "none"), ("city", "Ipoh")]);
    let two = ContactDraft { name: Some("Ali".into()), attributes, groups: groups.to_vec(), ..draft };
    let two = home.upserted(two).await;
    let key = home.key(1, 1);
    for key in [None, None, Some(&key), Some(&key)] {
        let Edited::Done(merged) = contacts.merge(one.id, &[two.id], key, home.now()).await.unwrap() else { panic!() };
        assert_eq!((merged.name.as_deref(), &merged.phone), (Some("Ali"), &phone(1)));
        assert_eq!(merged.attributes, map(&[("plan", "gold"), ("city", "Ipoh")]));
    }
    assert_eq!(contacts.contact(two.id).await.unwrap(), None);
    assert_eq!(contacts.groups_of(one.id).await.unwrap(), groups);
    assert_eq!(home.searched("ali").await, [one.id.0]);
    let counts = home.contact_counts().await;
    assert_eq!((counts.all, counts.groups), (1, groups.map(|group| (group, 1)).into()));
    let reused = contacts.merge(one.id, &[two.id], Some(&home.key(1, 2)), home.now()).await.unwrap();
    assert_eq!(reused, Edited::KeyReused);
    let itself = contacts.merge(one.id, &[one.id], None, home.now()).await.unwrap();
    assert!(matches!(itself, Edited::Done(contact) if contact.id == one.id));
    assert_eq!(contacts.merge(two.id, &[one.id], None, home.now()).await.unwrap(), Edited::Missing);
    assert!(contacts.contact(one.id).await.unwrap().is_some());
}

/// Makers, changers and deleters on few numbers.
pub async fn counts_are_exact_whatever_happens_at_once(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let group = home.group_named(&world, "VIP").await;
    let mut drafts = Vec::new();
    for n in 0..40 {
        let groups = if n % 3 == 0 { vec![group] } else { vec![] };
        drafts.push(ContactDraft { name: Some(format!("N{n}")), groups, ..home.contact_draft(&world, n % 4).await });
    }
    let now = home.now();
    let acts = drafts.iter().enumerate().map(|(n, draft)| async move {
        let made = contact(contacts.upsert(std::slice::from_ref(draft)).await.unwrap().remove(0));
        if n % 4 == 1 {
            contacts.delete_contact(made.id, None, now).await.unwrap();
        }
        contacts.mark_opted_out(&draft.phone, n % 2 == 0, now).await.unwrap();
    });
    join_all(acts).await;
    let page = contacts.list_contacts(&ContactFilter::default(), None, 0, 100).await.unwrap();
    let opted_out = page.contacts.iter().filter(|contact| contact.opted_out).count() as u64;
    let members = contacts.members(group, None, 100).await.unwrap().contacts.len() as u64;
    let counts = home.contact_counts().await;
    let in_group = counts.groups.get(&group).copied().unwrap_or(0);
    assert_eq!((counts.all, counts.opted_out, in_group), (page.contacts.len() as u64, opted_out, members));
    let phones: BTreeSet<_> = page.contacts.iter().map(|contact| &contact.phone).collect();
    assert_eq!(phones.len(), page.contacts.len(), "one for each number");
}

/// All of the words, in any order, each by its beginning, and nobody twice.
pub async fn contacts_are_found_by_beginnings_of_words(world: World) {
    let home = world.home(0).await;
    let names = ["Ali bin Abu", "ALIAS Ali", "Siti Aminah", "Mohd Ali", "José", "李小明", ""];
    let mut ids = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        ids.push(home.contact_named(&world, n as u64, name).await.id.0);
    }
    for (text, expected) in [
        ("ali", vec![0, 1, 3]),
        ("AL", vec![0, 1, 3]),
        ("alia", vec![1]),
        ("li", vec![]),
        ("abu ali", vec![0]),
        ("mohd al", vec![3]),
        ("ali alia", vec![1]),
        ("al ali a", vec![0, 1, 3]),
        ("ali siti", vec![]),
        ("jose", vec![4]),
        ("JOS\u{c9}", vec![4]),
        ("小", vec![5]),
        ("李小", vec![5]),
        ("!", vec![]),
    ] {
        let found: BTreeSet<_> = home.searched(text).await.into_iter().collect();
        assert_eq!(found, expected.iter().map(|index: &usize| ids[*index]).collect(), "{text}");
        assert_eq!(home.searched(text).await.len(), expected.len(), "{text}: nobody is shown twice");
    }
}

/// The rarest word leads, and leads on over all pages, also when meanwhile another would be the rarest.
pub async fn pages_of_several_words_show_each_contact_once_whatever_is_added_between(world: World) {
    let home = world.home(0).await;
    let mut wanted = BTreeSet::new();
    for n in 0..6 {
        wanted.insert(home.contact_named(&world, n, &format!("Siti Zulkifli {n}")).await.id.0);
        home.contact_named(&world, 10 + n, "Zulkifli").await;
    }
    let filter = searching("zulkifli siti");
    let (mut shown, mut after) = (Vec::new(), None);
    for more in 0_u64.. {
        let page = home.tenant.contacts().list_contacts(&filter, after.as_deref(), 0, 1).await.unwrap();
        shown.extend(page.contacts.iter().map(|contact| contact.id.0));
        after = page.next;
        if after.is_none() {
            break;
        }
        for n in 0..4 {
            home.contact_named(&world, 100 + 4 * more + n, "Siti").await;
        }
    }
    assert_eq!((shown.len(), shown.into_iter().collect()), (6, wanted));
}

/// A number in any spelling.
pub async fn contacts_are_found_by_their_last_digits_and_their_reference(world: World) {
    let home = world.home(0).await;
    let mut ids = Vec::new();
    for number in ["60123456789", "60198886789", "60123450000"] {
        let phone = PhoneNumber::from_e164(number).unwrap();
        let external_id = Some(if number.ends_with('9') { "nine" } else { "null" }.to_owned());
        let draft = ContactDraft { phone, external_id, ..home.contact_draft(&world, 0).await };
        ids.push(home.upserted(draft).await.id.0);
    }
    for (text, expected) in [
        ("012-345 6789", vec![0]),
        ("+60123456789", vec![0]),
        ("6789", vec![0, 1]),
        ("789", vec![0, 1]),
        ("88 6789", vec![1]),
        ("0000", vec![2]),
        ("12345", vec![]),
        ("9999", vec![]),
    ] {
        let mut found = home.searched(text).await;
        found.sort_unstable();
        assert_eq!(found, expected.iter().map(|index: &usize| ids[*index]).collect::<Vec<_>>(), "{text}");
    }
    let by = |reference: &str| ContactFilter { external_id: Some(reference.into()), ..ContactFilter::default() };
    assert_eq!(home.found(&by("nine")).await, [ids[1], ids[0]]);
    assert_eq!(home.found(&by("null")).await, [ids[2]]);
    assert_eq!(home.found(&by("nin")).await, [0_u64; 0]);
}

/// Whatever their size, also where some are passed over.
pub async fn lists_show_the_newest_first_and_join_without_gaps(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let mut ids = Vec::new();
    for n in 0..23 {
        ids.insert(0, home.contact_named(&world, n, &format!("Ali {n}")).await.id);
    }
    for filter in
        [ContactFilter::default(), searching("ali"), ContactFilter { opted_out: Some(false), ..searching("al") }]
    {
        for (limit, skip) in [(1, 0), (5, 0), (22, 0), (23, 0), (100, 0), (5, 7), (5, 22), (5, 23), (5, 40)] {
            let (mut seen, mut after, mut skip) = (Vec::new(), None::<String>, skip);
            let begun = skip;
            loop {
                let page = contacts.list_contacts(&filter, after.as_deref(), skip, limit).await.unwrap();
                assert!(page.contacts.len() <= limit);
                seen.extend(page.contacts.iter().map(|contact| contact.id));
                skip -= page.skipped;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            let expected = ids.get(begun.min(ids.len())..).unwrap();
            if filter == ContactFilter::default() {
                assert_eq!(seen, expected, "pages of {limit} from {begun}");
            }
            let all: BTreeSet<_> = seen.iter().collect();
            assert_eq!((all.len(), seen.len()), (expected.len(), expected.len()), "pages of {limit} from {begun}");
        }
    }
}

/// None hides what another one lets through.
pub async fn filters_together_show_what_each_of_them_shows(world: World) {
    let home = world.home(0).await;
    let contacts = home.tenant.contacts();
    let group = home.group_named(&world, "VIP").await;
    for n in 0..24_u64 {
        let groups = if n % 2 == 0 { vec![group] } else { vec![] };
        let name = Some(if n % 3 == 0 { "Ali Tan" } else { "Siti Tan" }.to_owned());
        let external_id = (n % 4 == 0).then(|| "four".to_owned());
        home.upserted(ContactDraft { name, external_id, groups, ..home.contact_draft(&world, n).await }).await;
        contacts.mark_opted_out(&phone(n), n >= 12, home.now()).await.unwrap();
    }
    let page = contacts.list_contacts(&ContactFilter::default(), None, 0, 100).await.unwrap().contacts;
    let members: BTreeSet<_> =
        contacts.members(group, None, 100).await.unwrap().contacts.into_iter().map(|contact| contact.id).collect();
    for bits in 0..16 {
        let filter = ContactFilter {
            search: (bits & 1 > 0).then(|| Search::parse("ali t", &[Region::MALAYSIA])),
            external_id: (bits & 2 > 0).then(|| "four".to_owned()),
            group: (bits & 4 > 0).then_some(group),
            opted_out: (bits & 8 > 0).then_some(bits & 4 > 0),
        };
        let shown = |contact: &&Contact| {
            (bits & 1 == 0 || contact.name.as_deref() == Some("Ali Tan"))
                && (bits & 2 == 0 || contact.external_id.is_some())
                && (bits & 4 == 0 || members.contains(&contact.id))
                && filter.opted_out.is_none_or(|opted_out| contact.opted_out == opted_out)
        };
        let expected: BTreeSet<_> = page.iter().filter(shown).map(|contact| contact.id.0).collect();
        let found = home.found(&filter).await;
        assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), expected, "{filter:?}");
        assert_eq!(found.len(), expected.len(), "{filter:?}");
    }
}

/// The same numbers, the same phone, the same group even.
pub async fn two_tenants_never_see_each_others_contacts(world: World) {
    let (one, two) = (world.home(0).await, world.home(0).await);
    let group = one.group_named(&world, "VIP").await;
    let draft = ContactDraft { name: Some("Ali".into()), groups: vec![group], ..one.contact_draft(&world, 1).await };
    let mine = one.upserted(draft).await;
    let other = two.tenant.contacts();
    assert_eq!(other.contact(mine.id).await.unwrap(), None);
    assert_eq!(other.contact_by_phone(&mine.phone).await.unwrap(), None);
    assert!(other.contacts_by_id(&[mine.id]).await.unwrap().is_empty());
    assert!(other.contacts_by_phone(std::slice::from_ref(&mine.phone)).await.unwrap().is_empty());
    assert!(other.members(group, None, 10).await.unwrap().contacts.is_empty());
    assert_eq!(other.group(group).await.unwrap(), None);
    assert!(other.groups().await.unwrap().is_empty());
    assert_eq!(other.groups_of(mine.id).await.unwrap(), []);
    assert_eq!(other.delete_contact(mine.id, None, two.now()).await.unwrap(), Deleted::Missing);
    let edit = ContactEdit { name: Edit::To(None), ..ContactEdit::default() };
    assert_eq!(other.edit(mine.id, &edit, None, two.now()).await.unwrap(), Edited::Missing);
    assert_eq!(other.merge(mine.id, &[ContactId(2)], None, two.now()).await.unwrap(), Edited::Missing);
    other.mark_opted_out(&mine.phone, true, two.now()).await.unwrap();
    for filter in [ContactFilter::default(), searching("ali"), searching("0123007919")] {
        assert_eq!(two.found(&filter).await, [0_u64; 0]);
    }
    assert_eq!(two.contact_counts().await, ContactCounts::default());
    assert_eq!(one.tenant.contacts().contact(mine.id).await.unwrap(), Some(mine));
}
