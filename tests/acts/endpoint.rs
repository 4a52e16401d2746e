//! Endpoints: made with a secret, refused where they lead inside, bounded in number.

use hantar_domain::egress::Refusal;
use hantar_domain::webhook::{MAX_ENDPOINTS, SubscriptionError};
use hantar_usecases::manage_endpoints::{EndpointError, delete_endpoint, open_secret};
use hantar_usecases::ports::Deleted;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_refused_unless_it_is_listed_and_nothing_is_written() {
    let world = World::new(301).await;
    let home = world.home(1).await;
    let before = world.items().await;
    for url in ["http://127.0.0.1:9/", "https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/"] {
        let error = home.subscribe_listed(url, &["*"], "").await.unwrap_err();
        assert!(matches!(error, EndpointError::Url(Refusal::PrivateAddress)), "{url}: {error}");
    }
    let error = home.try_subscribe("http://127.0.0.1:9/", &["message.nonsense"]).await.unwrap_err();
    assert!(matches!(error, EndpointError::Events(SubscriptionError::Unknown { index: 0, .. })), "{error}");
    assert!(world.items().await == before);
    home.try_subscribe("http://127.0.0.1:9/", &["*"]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_opens_again_in_another_process_and_stands_nowhere_in_the_tables() {
    let world = World::new(302).await;
    let home = world.home(1).await;
    let (endpoint, secret) = home.try_subscribe("https://example.com/", &["*"]).await.unwrap();
    let later = world.process();
    let stored = later.tenants.for_account(home.account).endpoint(endpoint.id).await.unwrap().unwrap();
    assert_eq!(open_secret(&later.keys, &stored).await.unwrap().shown(), secret.shown());
    let plain = secret.shown();
    let text = plain.strip_prefix("whsec_").unwrap();
    assert!(world.items().await.values().all(|item| !item.to_string().contains(text)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_a_bounded_number_of_endpoints() {
    let world = World::new(303).await;
    let home = world.home(1).await;
    for _ in 0..MAX_ENDPOINTS {
        home.try_subscribe("https://example.com/", &["*"]).await.unwrap();
    }
    let error = home.try_subscribe("https://example.com/", &["*"]).await.unwrap_err();
    assert!(matches!(error, EndpointError::TooMany), "{error}");
    let first = home.tenant().endpoints().await.unwrap()[0].id;
    let deleted = delete_endpoint(home.tenant().as_ref(), &world.clock, first, None).await.unwrap();
    assert_eq!(deleted, Deleted::Done);
    home.try_subscribe("https://example.com/", &["*"]).await.unwrap();
}
