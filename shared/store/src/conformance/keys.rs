//! Keys, and the fence around them.

use hantar_domain::ids::{DeviceId, Epoch};
use hantar_usecases::ports::{KeyError, PortError, Sequence};

use super::World;

const OLD: Epoch = Epoch(1);
const NEW: Epoch = Epoch(2);

async fn device(world: &World) -> DeviceId {
    DeviceId(world.number(Sequence::Devices).await)
}

/// Every kind of write, by the old owner, on `key`: all are refused.
async fn all_fenced(world: &World, device: DeviceId, key: &str) {
    let keys = &world.keys;
    let entries = [(key.to_owned(), vec![9])];
    let refused = |result: Result<(), KeyError>, what: &str| {
        assert!(matches!(result, Err(KeyError::Fenced)), "{what} of {key}: {result:?}");
    };
    refused(keys.put(device, OLD, key, b"old").await, "put");
    refused(keys.put_all(device, OLD, &entries).await, "put_all");
    refused(keys.delete(device, OLD, key).await, "delete");
    refused(keys.append(device, OLD, key, &[9]).await, "append");
    refused(keys.get(device, OLD, key).await.map(drop), "get");
    refused(keys.numbers(device, OLD, key).await.map(drop), "numbers");
    refused(keys.list(device, OLD, key).await.map(drop), "list");
    refused(keys.erase(device, OLD).await, "erase");
}

/// Whatever they hold.
pub async fn keys_are_read_back_and_listed_in_order(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    for (key, value) in [("session:b", &b"2"[..]), ("session:a", b""), ("identity", &[0, 255])] {
        keys.put(device, OLD, key, value).await.unwrap();
        assert_eq!(keys.get(device, OLD, key).await.unwrap().as_deref(), Some(value));
    }
    keys.put(device, OLD, "session:b", b"3").await.unwrap();
    let listed = keys.list(device, OLD, "session:").await.unwrap();
    assert_eq!(listed, [("session:a".to_owned(), vec![]), ("session:b".to_owned(), b"3".to_vec())]);
    assert_eq!(keys.list(device, OLD, "").await.unwrap().len(), 3);
    for _ in 0..2 {
        keys.delete(device, OLD, "session:a").await.unwrap();
        assert_eq!(keys.get(device, OLD, "session:a").await.unwrap(), None);
    }
    assert_eq!(keys.list(device, OLD, "session:").await.unwrap().len(), 1);
    keys.put(device, OLD, "session:a", b"back").await.unwrap();
    assert_eq!(keys.get(device, OLD, "session:a").await.unwrap().as_deref(), Some(&b"back"[..]));
}

/// By a put and by an append.
pub async fn an_older_owner_is_fenced_from_what_the_new_one_has_written(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    keys.put(device, OLD, "one", b"old").await.unwrap();
    keys.put(device, NEW, "one", b"new").await.unwrap();
    keys.append(device, NEW, "two", &[1]).await.unwrap();
    all_fenced(&world, device, "one").await;
    all_fenced(&world, device, "two").await;
    assert_eq!(keys.get(device, NEW, "one").await.unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(keys.numbers(device, NEW, "two").await.unwrap(), [1]);
}

/// A read stamps.
pub async fn an_older_owner_is_fenced_from_what_the_new_one_has_read(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    keys.put(device, OLD, "one", b"old").await.unwrap();
    keys.append(device, OLD, "two", &[4, 3]).await.unwrap();
    assert_eq!(keys.get(device, NEW, "one").await.unwrap().as_deref(), Some(&b"old"[..]));
    assert_eq!(keys.numbers(device, NEW, "two").await.unwrap(), [3, 4]);
    all_fenced(&world, device, "one").await;
    all_fenced(&world, device, "two").await;
    assert_eq!(keys.get(device, NEW, "one").await.unwrap().as_deref(), Some(&b"old"[..]));
}

/// A list stamps all that it shows.
pub async fn an_older_owner_is_fenced_from_what_the_new_one_has_listed(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    for n in 0..40 {
        keys.put(device, OLD, &format!("key{n:02}"), &[n]).await.unwrap();
    }
    let listed = keys.list(device, NEW, "key").await.unwrap();
    assert_eq!(listed.len(), 40);
    assert!(listed.is_sorted());
    for n in [0, 17, 39] {
        all_fenced(&world, device, &format!("key{n:02}")).await;
    }
    assert_eq!(keys.list(device, NEW, "key").await.unwrap(), listed);
}

/// The tombstone carries the epoch.
pub async fn an_older_owner_is_fenced_from_what_the_new_one_has_deleted(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    keys.put(device, OLD, "one", b"old").await.unwrap();
    keys.delete(device, NEW, "one").await.unwrap();
    keys.delete(device, NEW, "never").await.unwrap();
    keys.delete(device, OLD, "two").await.unwrap();
    assert_eq!(keys.get(device, NEW, "two").await.unwrap(), None, "a tombstone that was read is stamped, too");
    for key in ["one", "never", "two"] {
        all_fenced(&world, device, key).await;
        assert_eq!(keys.get(device, NEW, key).await.unwrap(), None);
    }
    assert!(keys.list(device, NEW, "").await.unwrap().is_empty());
}

/// An older one comes too late.
pub async fn a_device_is_claimed_by_rising_epochs(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    keys.claim(device, OLD).await.unwrap();
    keys.claim(device, OLD).await.unwrap();
    keys.claim(device, NEW).await.unwrap();
    assert!(matches!(keys.claim(device, OLD).await, Err(KeyError::Fenced)));
    assert!(keys.list(device, NEW, "").await.unwrap().is_empty(), "a claim is no key");
}

/// Each once, in order.
pub async fn numbers_are_added_to_a_set(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    assert!(keys.numbers(device, OLD, "used").await.unwrap().is_empty());
    keys.append(device, OLD, "used", &[5, 1]).await.unwrap();
    keys.append(device, OLD, "used", &[5, 4_294_967_295]).await.unwrap();
    keys.append(device, OLD, "used", &[]).await.unwrap();
    assert_eq!(keys.numbers(device, OLD, "used").await.unwrap(), [1, 5, 4_294_967_295]);
    keys.delete(device, OLD, "used").await.unwrap();
    assert!(keys.numbers(device, OLD, "used").await.unwrap().is_empty());
    keys.append(device, OLD, "used", &[7]).await.unwrap();
    assert_eq!(keys.numbers(device, OLD, "used").await.unwrap(), [7]);
}

/// As at pairing, and at logging out.
pub async fn many_keys_are_stored_at_once_and_erased(world: World) {
    let (device, other, keys) = (device(&world).await, device(&world).await, &world.keys);
    let entries: Vec<_> = (0..300_u32).map(|n| (format!("pre:{n:05}"), n.to_be_bytes().to_vec())).collect();
    keys.claim(device, NEW).await.unwrap();
    keys.put_all(device, NEW, &entries).await.unwrap();
    keys.put(other, OLD, "pre:00001", b"mine").await.unwrap();
    assert_eq!(keys.list(device, NEW, "pre:").await.unwrap(), entries);
    for _ in 0..2 {
        keys.erase(device, NEW).await.unwrap();
        assert!(keys.list(device, NEW, "").await.unwrap().is_empty());
    }
    assert!(matches!(keys.claim(device, OLD).await, Err(KeyError::Fenced)), "the claim stays");
    assert!(matches!(keys.put(device, OLD, "pre:00001", b"x").await, Err(KeyError::Fenced)));
    assert_eq!(keys.list(other, OLD, "").await.unwrap().len(), 1);
}

/// With words that name it.
pub async fn a_value_that_no_item_holds_is_refused(world: World) {
    let (device, keys) = (device(&world).await, &world.keys);
    keys.put(device, OLD, "large", &vec![1; 300 * 1024]).await.unwrap();
    assert_eq!(keys.get(device, OLD, "large").await.unwrap().map(|value| value.len()), Some(300 * 1024));
    let refused = keys.put(device, OLD, "larger", &vec![1; 360 * 1024]).await;
    assert!(matches!(refused, Err(KeyError::Port(PortError::Corrupt(text))) if text.contains("larger")));
}
