//! The HTTP router on the real store, under the conflicts that DynamoDB has and no emulator shows.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hantar_platform::faults::FaultPlan;
use serde_json::json;
use tokio::sync::Barrier;
use tower::ServiceExt as _;

use crate::door::{served_by, token};
use crate::world::World;

const CLIENTS: usize = 64;
const EACH: usize = 10;

/// Sends one message under a key of its own.
async fn send(router: &Router, token: &str, key: &str) -> StatusCode {
    let body = json!({ "phone": "0123456789", "body": format!("message {key}") }).to_string();
    let request = Request::post("/api/v1/messages/send")
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body))
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let retry_after = answer.headers().contains_key(header::RETRY_AFTER);
    assert_eq!(retry_after, answer.status() == StatusCode::SERVICE_UNAVAILABLE, "{:?}", answer.status());
    answer.status()
}

/// What all clients together were answered: accepted, busy.
async fn crowd(routers: Vec<Router>, token: &str) -> (usize, usize) {
    let start = Arc::new(Barrier::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (router, start, token) = (routers[client % routers.len()].clone(), start.clone(), token.to_owned());
            tokio::spawn(async move {
                start.wait().await;
                let (mut accepted, mut busy) = (0, 0);
                for number in 0..EACH {
                    match send(&router, &token, &format!("{client}-{number}")).await {
                        StatusCode::ACCEPTED => accepted += 1,
                        StatusCode::SERVICE_UNAVAILABLE => busy += 1,
                        other => panic!("{other}"),
                    }
                }
                (accepted, busy)
            })
        })
        .collect();
    let (mut accepted, mut busy) = (0, 0);
    for client in clients {
        let (more, less) = client.await.unwrap();
        accepted += more;
        busy += less;
    }
    (accepted, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_conflicts_of_aws_64_clients_get_hardly_a_503_and_the_balance_is_exact() {
    let world = World::new(941).await;
    for processes in [1, 4] {
        let home = world.home(10_000).await;
        let token = token(&home).await;
        let routers = (0..processes).map(|_| served_by(&world.process())).collect();
        world.faults.set_plan(FaultPlan::conflicting());
        let (accepted, busy) = crowd(routers, &token).await;
        world.faults.set_plan(FaultPlan::default());
        eprintln!("{accepted} accepted, {busy} answered 503 by {processes} processes");
        assert_eq!(accepted + busy, CLIENTS * EACH);
        assert!(busy * 100 < CLIENTS * EACH, "{busy} of {} answered 503", CLIENTS * EACH);
        let (balance, accepted) = (home.audit().await, i64::try_from(accepted).unwrap());
        assert_eq!((balance.charged, balance.available), (accepted, 10_000 - accepted));
        assert_eq!(home.line().await.len(), 100, "a look at the line");
    }
}
