//! Lists: filters, pages, totals.

use hantar_domain::ids::{AccountId, MessageId};
use hantar_domain::message::State;
use serde_json::{Value, json};

use crate::door::Door;

/// A world with `count` messages, every fifth of them failed, all odd ones to another number.
fn many(count: u64) -> (Door, String) {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    assert_eq!(door.send(&token, &json!({"phone": "0123456789", "body": "Hi", "external_id": "x"})).code(), 202);
    let mut state = door.world.state();
    let books = state.books.get_mut(&AccountId(1)).unwrap();
    let first = books.messages.remove(&MessageId(1)).unwrap();
    for number in 1..=count {
        let mut message = first.clone();
        message.id = MessageId(number);
        message.accepted_at.0 += i64::try_from(number).unwrap() * 1_000_000;
        if number % 5 == 0 {
            message.state = State::Failed;
        }
        if number % 2 == 1 {
            message.phone = hantar_domain::phone::PhoneNumber::from_e164("+60198887777");
        }
        books.messages.insert(message.id, message);
    }
    drop(state);
    (door, token)
}

fn ids(page: &Value) -> Vec<u64> {
    page["data"].as_array().unwrap().iter().map(|message| message["id"].as_u64().unwrap()).collect()
}

/// All messages of a list, by following `links.next`; how many pages that took.
fn follow(door: &Door, token: &str, query: &str) -> (Vec<u64>, usize) {
    let mut next = Some(format!("http://localhost:8080/api/v1/messages?{query}"));
    let (mut all, mut pages) = (vec![], 0);
    while let Some(url) = next {
        let page = door.get(token, url.strip_prefix("http://localhost:8080").unwrap()).json();
        all.extend(ids(&page));
        next = page["links"]["next"].as_str().map(str::to_owned);
        pages += 1;
        assert!(pages < 500, "the list has no end");
    }
    (all, pages)
}

#[test]
fn an_empty_list_is_a_page_too() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    door.get(&token, "/api/v1/messages").is("list_empty");
}

#[test]
fn a_page_has_the_shape_of_both_paginators() {
    let (door, token) = many(5);
    door.get(&token, "/api/v1/messages?per_page=2&page=2").is("list_with_total");
    door.get(&token, "/api/v1/messages?per_page=1&device=1").is("list_without_total");
}

#[test]
fn following_the_links_shows_every_message_once_newest_first() {
    let (door, token) = many(57);
    let all: Vec<u64> = (1..=57).rev().collect();
    assert_eq!(follow(&door, &token, ""), (all.clone(), 3));
    assert_eq!(follow(&door, &token, "per_page=19"), (all, 3), "an exactly full last page has no next one");
    let failed: Vec<u64> = (1..=57).rev().filter(|number| number % 5 == 0).collect();
    assert_eq!(follow(&door, &token, "status=failed&per_page=4"), (failed, 3));
}

#[test]
fn a_store_that_looks_at_few_items_at_a_time_changes_nothing_but_the_effort() {
    let (door, token) = many(57);
    for looked_at in [1, 2, 3, 10] {
        door.world.state().looked_at = looked_at;
        let failed: Vec<u64> = (1..=57).rev().filter(|number| number % 5 == 0).collect();
        assert_eq!(follow(&door, &token, "status=failed&per_page=4").0, failed, "{looked_at}");
        let page = door.get(&token, "/api/v1/messages?status=failed&per_page=4&page=2").json();
        assert_eq!(ids(&page), [35, 30, 25, 20], "{looked_at}");
    }
}

#[test]
fn a_list_of_nothing_in_a_long_stretch_ends_although_no_page_shows_anything() {
    let (door, token) = many(57);
    door.world.state().looked_at = 5;
    assert_eq!(follow(&door, &token, "external_id=nobody"), (vec![], 1));
    let page = door.get(&token, "/api/v1/messages?external_id=nobody&page=3").json();
    assert_eq!((ids(&page), &page["links"]["next"]), (vec![], &Value::Null));
}

#[test]
fn pages_may_be_asked_for_by_number() {
    let (door, token) = many(57);
    let page = |number: u64| ids(&door.get(&token, &format!("/api/v1/messages?per_page=10&page={number}")).json());
    assert_eq!(page(1), (48..=57).rev().collect::<Vec<_>>());
    assert_eq!(page(6), (1..=7).rev().collect::<Vec<_>>());
    assert_eq!(page(7), Vec::<u64>::new());
}

#[test]
fn filters_choose() {
    let (door, token) = many(20);
    let list = |query: &str| ids(&door.get(&token, &format!("/api/v1/messages?per_page=100&{query}")).json());
    assert_eq!(list("status=failed"), [20, 15, 10, 5]);
    assert_eq!(list("phone=0198887777").len(), 10);
    assert_eq!(list("phone=%2B60198887777&status=failed"), [15, 5]);
    assert_eq!(list("external_id=x").len(), 20);
    assert_eq!(list("external_id=y"), Vec::<u64>::new());
    assert_eq!(list("direction=inbound"), Vec::<u64>::new());
    assert_eq!(list("direction=outbound&device=1").len(), 20);
    assert_eq!(list("device=7"), Vec::<u64>::new());
    assert_eq!(list("from=2026-11-20T10:04:30Z&to=2026-11-20T10:04:32Z"), [18, 17]);
    assert_eq!(list("to=2026-11-20").len(), 20, "a bare date counts whole");
    assert_eq!(list("to=2026-11-19"), Vec::<u64>::new());
}

#[test]
fn a_total_is_given_only_where_a_counter_knows_it() {
    let (door, token) = many(20);
    let total = |query: &str| door.get(&token, &format!("/api/v1/messages?{query}")).json()["total"].clone();
    assert_eq!((total(""), total("status=failed"), total("status=read")), (json!(20), json!(4), json!(0)));
    assert_eq!((total("device=1"), total("status=failed&device=1")), (Value::Null, Value::Null));
}
