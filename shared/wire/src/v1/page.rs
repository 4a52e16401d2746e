//! Pages of lists: Laravel's resource collection (`data`, `links`, `meta`), with its paginator's flat keys beside it, so
//! that a client of either shape works.
//!
//! Where no exact total is known, `total` and `last_page` are left out, as Laravel's simple paginator does, and
//! `links.next` leads on by a cursor.

use std::fmt::Display;

use serde::Serialize;
use utoipa::ToSchema;

/// How many page links stand on each side of the current one before the rest is shortened to `...`.
const EACH_SIDE: u64 = 3;

/// Where a page stands in its list. `C` is what a link says where the next page begins, already encoded.
#[derive(Clone, Debug)]
pub struct Place<C = u64> {
    /// The list's whole address, without a query.
    pub path: String,
    /// The filters, already encoded; kept in every link.
    pub filters: String,
    /// The page's number, from 1 on.
    pub page: u64,
    /// How many a whole page holds.
    pub per_page: u64,
    /// How many there are, where that is known.
    pub total: Option<u64>,
    /// Where the next page begins; `None` when this is the last one.
    pub next: Option<C>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// What it holds.
    pub data: Vec<T>,
    /// Where to go from here.
    pub links: Links,
    /// Where it stands.
    pub meta: Meta,
    /// The same again, as the bare paginator writes it.
    #[serde(flatten)]
    pub flat: Flat,
}

/// Addresses of other pages.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Links {
    /// The first page.
    pub first: String,
    /// The last one, where it is known.
    pub last: Option<String>,
    /// The one before.
    pub prev: Option<String>,
    /// The one after.
    pub next: Option<String>,
}

/// Where a page stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Meta {
    /// Its number, from 1 on.
    pub current_page: u64,
    /// The place of its first entry in the list, from 1 on; null when it is empty.
    pub from: Option<u64>,
    /// How many pages there are, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_page: Option<u64>,
    /// Links as a page bar shows them, where the number of pages is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<PageLink>,
    /// The list's address, without a query.
    pub path: String,
    /// How many a whole page holds.
    pub per_page: u64,
    /// The place of its last entry in the list; null when it is empty.
    pub to: Option<u64>,
    /// How many there are, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// A link of a page bar.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PageLink {
    /// Where to; null for where one is, or cannot go.
    pub url: Option<String>,
    /// What it says.
    pub label: String,
    /// Whether it is the current page.
    pub active: bool,
}

/// The keys of Laravel's bare paginator, but for `links`, of which the object is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Flat {
    current_page: u64,
    first_page_url: String,
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_page: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_page_url: Option<String>,
    next_page_url: Option<String>,
    path: String,
    per_page: u64,
    prev_page_url: Option<String>,
    to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

impl<C: Display> Place<C> {
    fn url(&self, page: u64, cursor: Option<&C>) -> String {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let and = if self.filters.is_empty() { "" } else { "&" };
        format!("{}?{}{and}page={page}{cursor}", self.path, self.filters)
    }

    fn last_page(&self) -> Option<u64> {
        self.total.map(|total| total.div_ceil(self.per_page.max(1)).max(1))
    }

    /// The page at this place.
    pub fn page<T>(self, data: Vec<T>) -> Page<T> {
        let count = u64::try_from(data.len()).unwrap_or(0);
        let before = (self.page - 1).saturating_mul(self.per_page);
        let from = (count > 0).then_some(before + 1);
        let to = (count > 0).then_some(before + count);
        let last_page = self.last_page();
        let links = Links {
            first: self.url(1, None),
            last: last_page.map(|last| self.url(last, None)),
            prev: (self.page > 1).then(|| self.url(self.page - 1, None)),
            next: self.next.as_ref().map(|cursor| self.url(self.page + 1, Some(cursor))),
        };
        let flat = Flat {
            current_page: self.page,
            first_page_url: links.first.clone(),
            from,
            last_page,
            last_page_url: links.last.clone(),
            next_page_url: links.next.clone(),
            path: self.path.clone(),
            per_page: self.per_page,
            prev_page_url: links.prev.clone(),
            to,
            total: self.total,
        };
        let bar = last_page.map(|last| self.bar(last, &links)).unwrap_or_default();
        let meta = Meta {
            current_page: self.page,
            from,
            last_page,
            links: bar,
            path: self.path,
            per_page: self.per_page,
            to,
            total: self.total,
        };
        Page { data, links, meta, flat }
    }

    fn bar(&self, last: u64, links: &Links) -> Vec<PageLink> {
        let link = |url: Option<String>, label: &str| PageLink { url, label: label.to_owned(), active: false };
        let mut bar = vec![link(links.prev.clone(), "&laquo; Previous")];
        let mut previous = 0;
        for number in shown(self.page, last) {
            if number > previous + 1 {
                bar.push(link(None, "..."));
            }
            let active = number == self.page;
            bar.push(PageLink { url: Some(self.url(number, None)), label: number.to_string(), active });
            previous = number;
        }
        bar.push(link(links.next.clone(), "Next &raquo;"));
        bar
    }
}

/// The numbers in the bar, rising: the first and last two, and those around the current one (Laravel's `UrlWindow`).
fn shown(page: u64, last: u64) -> Vec<u64> {
    let window = EACH_SIDE + 4;
    if last < EACH_SIDE * 2 + 8 {
        return (1..=last).collect();
    }
    let (from, to) = if page <= window {
        (1, window + EACH_SIDE)
    } else if page > last - window {
        (last.saturating_sub(window + EACH_SIDE - 1), last)
    } else {
        (page - EACH_SIDE, page + EACH_SIDE)
    };
    let mut numbers: Vec<u64> = [1, 2].into_iter().chain(from..=to.min(last)).chain([last - 1, last]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn place(page: u64, total: Option<u64>, next: Option<u64>) -> Place {
        let path = "http://localhost/api/v1/messages".to_owned();
        Place { path, filters: "status=sent".to_owned(), page, per_page: 2, total, next }
    }

    fn shape(page: Page<u64>) -> Value {
        serde_json::to_value(page).unwrap()
    }

    #[test]
    fn with_a_total_a_page_knows_the_last_one() {
        let page = shape(place(2, Some(5), Some(7)).page(vec![8, 7]));
        assert_eq!((&page["total"], &page["meta"]["total"], &page["last_page"]), (&json!(5), &json!(5), &json!(3)));
        assert_eq!((&page["from"], &page["to"]), (&json!(3), &json!(4)));
        assert_eq!(page["links"]["next"], "http://localhost/api/v1/messages?status=sent&page=3&cursor=7");
        assert_eq!(page["next_page_url"], page["links"]["next"]);
        let labels: Vec<_> =
            page["meta"]["links"].as_array().unwrap().iter().map(|link| link["label"].clone()).collect();
        assert_eq!(labels, ["&laquo; Previous", "1", "2", "3", "Next &raquo;"]);
    }

    #[test]
    fn without_a_total_none_is_made_up() {
        let page = shape(place(1, None, None).page(vec![]));
        for key in ["total", "last_page", "last_page_url"] {
            assert_eq!(page.get(key), None, "{key}");
        }
        assert_eq!((&page["from"], &page["to"], &page["links"]["next"]), (&Value::Null, &Value::Null, &Value::Null));
    }

    #[test]
    fn a_long_bar_is_shortened_around_the_current_page() {
        assert_eq!(shown(1, 3), [1, 2, 3]);
        assert_eq!(shown(50, 100), [1, 2, 47, 48, 49, 50, 51, 52, 53, 99, 100]);
        assert_eq!(shown(1, 100), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99, 100]);
        assert_eq!(shown(100, 100), [1, 2, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
    }
}
