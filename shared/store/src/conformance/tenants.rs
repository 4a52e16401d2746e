//! Tenants apart from each other.

use hantar_domain::ids::{EndpointId, Epoch, MessageId};
use hantar_domain::message::Fact;
use hantar_domain::webhook::{EventId, EventKind};
use hantar_usecases::ports::{Accepted, Applied, Cancelled, Delivery, DeliveryState, MessageFilter};

use super::World;

/// The same numbers, the same keys, the same device number even: nothing shows on the other side.
pub async fn two_tenants_never_see_each_others_records(world: World) {
    let (one, two) = (world.home(10).await, world.home(10).await);
    let mine = one.keyed(1, 1);
    assert_eq!(one.tenant.accept(&mine).await.unwrap(), Accepted::Stored);
    let delivery = Delivery {
        endpoint: EndpointId(1),
        event: EventId("msg_x".into()),
        kind: EventKind::MessageReceived,
        body: "{}".into(),
        state: DeliveryState::Pending,
        due_at: one.now(),
        attempts: vec![],
    };
    one.tenant.add_delivery(&delivery).await.unwrap();

    let (other, id, at) = (&two.tenant, mine.message.id, two.now());
    assert_eq!(id, MessageId(1));
    assert_eq!(other.message(id).await.unwrap(), None);
    assert!(other.messages(&[id]).await.unwrap().is_empty());
    assert!(other.list_messages(&MessageFilter::default(), None, 10).await.unwrap().messages.is_empty());
    assert!(other.open_turns(one.device, one.now(), 10).await.unwrap().turns.is_empty());
    assert_eq!(other.dispatch(id, Epoch(1), at).await.unwrap(), Applied::Missing);
    assert_eq!(other.record(id, Fact::Read, at).await.unwrap(), Applied::Missing);
    assert_eq!(other.cancel(id, None, at).await.unwrap(), Cancelled::Missing);
    assert_eq!(other.device(one.device).await.unwrap(), None);
    assert_eq!(other.user(one.founding.owner.id).await.unwrap(), None);
    let (account, device, sender) = other.sending_from(Some(one.device), Some(one.founding.owner.id)).await.unwrap();
    assert_eq!((account.map(|account| account.id), device, sender), (Some(two.account), None, None));
    let (account, device, sender) = other.sending_from(None, Some(two.founding.owner.id)).await.unwrap();
    assert_eq!(account.as_ref(), Some(&two.founding.account));
    assert_eq!(device.map(|device| device.id), Some(two.device), "the default one");
    assert_eq!(sender.as_ref(), Some(&two.founding.owner));
    let (_, device, sender) = other.sending_from(Some(two.device), None).await.unwrap();
    assert_eq!((device.map(|device| device.id), sender), (Some(two.device), None));
    assert_eq!(other.delivery(delivery.endpoint, &delivery.event).await.unwrap(), None);
    assert_eq!(two.tenant.accept(&two.keyed(1, 2)).await.unwrap(), Accepted::Stored, "the key is another one");
    assert_eq!(two.message(id).await.account, two.account);
    assert_eq!(one.message(id).await.account, one.account);
    one.has(9, 1, 0).await;
    two.has(9, 1, 0).await;
}
