//! Groups of contacts.

use hantar_domain::contact::Group;
use hantar_domain::ids::{ContactId, GroupId};
use hantar_usecases::ports::{ContactDraft, Deleted, Moved, Named, Sequence};

use super::{Home, World};

impl Home {
    pub(super) async fn group_draft(&self, world: &World, name: &str) -> Group {
        let id = GroupId(world.number(Sequence::Groups(self.account)).await);
        Group { account: self.account, id, name: name.into(), created_at: self.now() }
    }

    /// A group of this name.
    pub(super) async fn group_named(&self, world: &World, name: &str) -> GroupId {
        let group = self.group_draft(world, name).await;
        assert_eq!(self.tenant.contacts().add_group(&group, 100, None).await.unwrap(), Named::Done(group.clone()));
        group.id
    }

    async fn size(&self, group: GroupId) -> u64 {
        self.contact_counts().await.groups.get(&group).copied().unwrap_or(0)
    }

    async fn members(&self, group: GroupId) -> Vec<ContactId> {
        let part = self.tenant.contacts().members(group, None, 1_000).await.unwrap();
        part.contacts.into_iter().map(|contact| contact.id).collect()
    }

    /// New contacts in these groups.
    async fn contacts_in(&self, world: &World, count: u64, groups: &[GroupId]) -> Vec<ContactId> {
        let mut drafts = Vec::new();
        for n in 0..count {
            drafts.push(ContactDraft { groups: groups.to_vec(), ..self.contact_draft(world, n).await });
        }
        self.tenant.contacts().upsert(&drafts).await.unwrap();
        drafts.into_iter().map(|draft| draft.id).collect()
    }
}

/// Which another one gets when it is free.
pub async fn a_group_has_a_name_of_its_own(world: World) {
    let home = world.home(0).await;
    let groups = home.tenant.contacts();
    let (one, two) = (home.group_named(&world, "VIP").await, home.group_named(&world, "News").await);
    let third = home.group_draft(&world, "VIP").await;
    assert_eq!(groups.add_group(&third, 100, None).await.unwrap(), Named::Taken);
    assert_eq!(groups.add_group(&Group { name: "Third".into(), ..third.clone() }, 2, None).await.unwrap(), Named::Full);
    assert_eq!(groups.rename_group(two, "VIP", None, home.now()).await.unwrap(), Named::Taken);
    let renamed = groups.rename_group(one, "Gold", None, home.now()).await.unwrap();
    assert!(matches!(renamed, Named::Done(group) if group.id == one && group.name == "Gold"));
    assert!(matches!(groups.rename_group(two, "VIP", None, home.now()).await.unwrap(), Named::Done(_)));
    assert!(matches!(groups.rename_group(two, "VIP", None, home.now()).await.unwrap(), Named::Done(_)));
    assert_eq!(groups.delete_group(one, None, home.now()).await.unwrap(), Deleted::Done);
    assert!(matches!(groups.rename_group(two, "Gold", None, home.now()).await.unwrap(), Named::Done(_)));
    assert_eq!(groups.rename_group(one, "Lost", None, home.now()).await.unwrap(), Named::Missing);
    let names: Vec<_> = groups.groups().await.unwrap().into_iter().map(|group| (group.id, group.name)).collect();
    assert_eq!(names, [(two, "Gold".to_owned())]);
}

/// The same, and write nothing more.
pub async fn keys_of_groups_answer_again(world: World) {
    let home = world.home(0).await;
    let groups = home.tenant.contacts();
    let group = home.group_draft(&world, "VIP").await;
    let again = home.group_draft(&world, "VIP").await;
    let key = home.key(1, 1);
    assert_eq!(groups.add_group(&group, 100, Some(&key)).await.unwrap(), Named::Done(group.clone()));
    assert_eq!(groups.add_group(&again, 100, Some(&key)).await.unwrap(), Named::Done(group.clone()));
    assert_eq!(groups.add_group(&again, 100, Some(&home.key(1, 2))).await.unwrap(), Named::KeyReused);
    let key = home.key(2, 1);
    for _ in 0..2 {
        let renamed = groups.rename_group(group.id, "Gold", Some(&key), home.now()).await.unwrap();
        assert!(matches!(renamed, Named::Done(group) if group.name == "Gold"));
    }
    let reused = groups.rename_group(group.id, "Silver", Some(&home.key(2, 2)), home.now()).await.unwrap();
    assert_eq!(reused, Named::KeyReused);
    let ids = home.contacts_in(&world, 2, &[]).await;
    let key = home.key(3, 1);
    for _ in 0..2 {
        let moved = groups.move_contacts(group.id, &ids, true, Some(&key), home.now()).await.unwrap();
        assert_eq!(moved, Moved::Done);
    }
    let reused = groups.move_contacts(group.id, &ids, false, Some(&home.key(3, 2)), home.now()).await.unwrap();
    assert_eq!(reused, Moved::KeyReused);
    assert_eq!(home.members(group.id).await, ids);
    let key = home.key(4, 1);
    for _ in 0..2 {
        assert_eq!(groups.delete_group(group.id, Some(&key), home.now()).await.unwrap(), Deleted::Done);
    }
    assert_eq!(groups.delete_group(group.id, Some(&home.key(4, 2)), home.now()).await.unwrap(), Deleted::KeyReused);
    assert_eq!(groups.delete_group(group.id, None, home.now()).await.unwrap(), Deleted::Missing);
}

/// Whatever the size of the parts.
pub async fn members_come_in_order_of_their_numbers_and_join_without_gaps(world: World) {
    let home = world.home(0).await;
    let group = home.group_named(&world, "VIP").await;
    let ids = home.contacts_in(&world, 12, &[group]).await;
    for limit in [1, 5, 12, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = home.tenant.contacts().members(group, after, limit).await.unwrap();
            seen.extend(part.contacts.into_iter().map(|contact| contact.id));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids, "parts of {limit}");
    }
}

/// Who does not exist is passed over, and a repeat moves nobody twice.
pub async fn contacts_move_in_and_out_and_are_counted(world: World) {
    let home = world.home(0).await;
    let groups = home.tenant.contacts();
    let group = home.group_named(&world, "VIP").await;
    let mut ids = home.contacts_in(&world, 120, &[]).await;
    ids.push(ContactId(9_999));
    for _ in 0..2 {
        assert_eq!(groups.move_contacts(group, &ids, true, None, home.now()).await.unwrap(), Moved::Done);
        assert_eq!(home.size(group).await, 120);
    }
    assert_eq!(groups.move_contacts(group, &ids[..50], false, None, home.now()).await.unwrap(), Moved::Done);
    assert_eq!((home.size(group).await, home.members(group).await), (70, ids[50..120].to_vec()));
    assert_eq!(home.contact_counts().await.all, 120);
}

/// It is gone at once, and then nobody is in it.
pub async fn a_deleted_group_is_cleared_step_by_step(world: World) {
    let home = world.home(0).await;
    let groups = home.tenant.contacts();
    let (group, other) = (home.group_named(&world, "VIP").await, home.group_named(&world, "News").await);
    let ids = home.contacts_in(&world, 210, &[group, other]).await;
    assert_eq!(groups.delete_group(group, None, home.now()).await.unwrap(), Deleted::Done);
    assert_eq!(groups.group(group).await.unwrap(), None);
    assert_eq!(groups.groups_of(ids[0]).await.unwrap(), [other]);
    let mut steps = 1;
    while !groups.clear_group(group, home.now()).await.unwrap() {
        steps += 1;
    }
    assert!(steps > 1);
    assert!(groups.clear_group(group, home.now()).await.unwrap());
    assert_eq!((home.members(group).await.len(), home.size(group).await), (0, 0));
    assert_eq!((home.members(other).await, home.size(other).await), (ids, 210));
}
