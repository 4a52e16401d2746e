//! The stored key items, byte for byte, past the store.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::ids::Epoch;
use hantar_usecases::ports::{KeyError, KeyTable};
use serde_json::{Value, json};

use crate::world::{Till, World};

/// How long the items of a device must stay as they are to be called at rest.
const REST: Duration = Duration::from_millis(1500);

/// All items of one device, by their sort keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keys(pub(crate) BTreeMap<String, Value>);

impl Keys {
    pub(crate) async fn of(world: &World, till: &Till) -> Self {
        let mut items = BTreeMap::new();
        let mut from = Value::Null;
        loop {
            let mut query = json!({
                "TableName": world.stack.tables.engine,
                "ConsistentRead": true,
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": { ":pk": { "S": format!("D#{}", till.device) } },
            });
            if !from.is_null() {
                query["ExclusiveStartKey"] = from;
            }
            let (status, body) = world.stack.dynamo.call("DynamoDB_20120810.Query", query.to_string().as_bytes()).await;
            assert_eq!(status, 200, "{body}");
            let answer: Value = serde_json::from_str(&body).unwrap();
            for item in answer["Items"].as_array().unwrap() {
                items.insert(item["sk"]["S"].as_str().unwrap().to_owned(), item.clone());
            }
            from = answer["LastEvaluatedKey"].clone();
            if from.is_null() {
                return Self(items);
            }
        }
    }

    /// The items once nothing has changed for a while.
    pub(crate) async fn at_rest(world: &World, till: &Till) -> Self {
        let mut rested = (Self::of(world, till).await, tokio::time::Instant::now());
        let rested = &tokio::sync::Mutex::new(&mut rested);
        world
            .until("keys at rest", async || {
                let now = Self::of(world, till).await;
                let mut rested = rested.lock().await;
                if now != rested.0 {
                    **rested = (now, tokio::time::Instant::now());
                    return None;
                }
                (rested.1.elapsed() >= REST).then_some(now)
            })
            .await
    }

    /// The epoch that last touched an item.
    pub(crate) fn epoch(item: &Value) -> Epoch {
        Epoch(item["ep"]["N"].as_str().unwrap().parse().unwrap())
    }

    /// The names of the keys that this epoch has touched.
    pub(crate) fn touched_by(&self, epoch: Epoch) -> Vec<String> {
        let touched = self.0.iter().filter(|(_, item)| Self::epoch(item) == epoch);
        touched.filter_map(|(sk, _)| sk.strip_prefix("K#").map(str::to_owned)).collect()
    }
}

/// Tries every kind of write, and of reading, as a host of an earlier epoch on a key that a later one has touched.
pub(crate) async fn is_fenced_off(table: &dyn KeyTable, till: &Till, old: Epoch, key: &str) {
    let (device, value) = (till.device, b"from the past".as_slice());
    let entries = [(key.to_owned(), value.to_vec())];
    let tried: [(&str, Result<(), KeyError>); 9] = [
        ("claim", table.claim(device, old).await),
        ("put", table.put(device, old, key, value).await),
        ("put_all", table.put_all(device, old, &entries).await),
        ("delete", table.delete(device, old, key).await),
        ("append", table.append(device, old, key, &[1, 2, 3]).await),
        ("erase", table.erase(device, old).await),
        ("list", table.list(device, old, key).await.map(drop)),
        ("get", table.get(device, old, key).await.map(drop)),
        ("numbers", table.numbers(device, old, key).await.map(drop)),
    ];
    for (kind, result) in tried {
        assert!(matches!(result, Err(KeyError::Fenced)), "{kind} of {key}: {result:?}");
    }
}
