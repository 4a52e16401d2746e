//! Devices: read, changed by a pure rule, and written back whole if nobody else was faster.

use hantar_domain::device::{Device, PairingCode, Status};
use hantar_domain::ids::{DeviceId, Epoch, StanzaKey};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{DeviceChange, PortError};

use crate::items::{Fields, Item, NewItem, bytes, number, text, time};
use crate::places::{DEVICE, Place, Table, of_account};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// How often a change begins anew because another one was faster.
const LOOKS: usize = 8;
/// How many devices one account may have.
const MAX_DEVICES: usize = 10_000;

pub(crate) fn item(device: &Device) -> Item {
    write(NewItem::at(&Place::device(device.account, device.id)), device)
}

fn write(item: NewItem, device: &Device) -> Item {
    item.with("n", text(&device.name))
        .flag("df", device.is_default)
        .with("st", text(device.status.word()))
        .maybe("rs", device.reason.as_deref().map(text))
        .maybe("p", device.phone.as_ref().map(|phone| text(phone.digits())))
        .maybe("l", device.lid.as_deref().map(text))
        .with("k", bytes(device.stanza_key.0))
        .maybe("pw", device.pairing_wanted_until.map(time))
        .maybe("qt", device.pairing_code.as_ref().map(|code| text(&code.text)))
        .maybe("qx", device.pairing_code.as_ref().map(|code| time(code.expires_at)))
        .maybe("ca", device.connected_at.map(time))
        .maybe("ls", device.last_seen_at.map(time))
        .with("sq", number(device.status_seq))
        .with("sa", time(device.status_at))
        .with("t", time(device.created_at))
        .done()
}

pub(crate) fn read(item: &Item) -> Result<Device, PortError> {
    let fields = Fields(item);
    let code = fields.maybe_text("qt")?.map(str::to_owned);
    let key = fields.bytes("k")?.try_into().map_err(|_| fields.damaged("k"))?;
    Ok(Device {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(DEVICE)?.parse().ok())?,
        name: fields.text("n")?.to_owned(),
        is_default: fields.flag("df")?,
        status: fields.word("st", Status::from_word)?,
        reason: fields.owned("rs")?,
        phone: fields.maybe_word("p", PhoneNumber::from_e164)?,
        lid: fields.owned("l")?,
        stanza_key: StanzaKey(key),
        pairing_wanted_until: fields.maybe_time("pw")?,
        pairing_code: match code {
            Some(text) => Some(PairingCode { text, expires_at: fields.time("qx")? }),
            None => None,
        },
        connected_at: fields.maybe_time("ca")?,
        last_seen_at: fields.maybe_time("ls")?,
        status_seq: fields.maybe_number("sq")?.unwrap_or(0),
        status_at: fields.maybe_time("sa")?.map_or_else(|| fields.time("t"), Ok)?,
        created_at: fields.time("t")?,
    })
}

/// The device after a change.
fn changed(mut device: Device, change: &DeviceChange) -> Device {
    match change.clone() {
        DeviceChange::PairingWanted(until) => device.pairing_wanted_until = Some(until),
        DeviceChange::PairingCode(code) => device.pairing_code = code,
        DeviceChange::Linked { phone, lid } => {
            device.phone = Some(phone);
            device.lid = lid;
            // What pairing was wanted for has happened; the code is used up.
            device.pairing_wanted_until = None;
            device.pairing_code = None;
        }
        DeviceChange::Status { status, reason, at } => {
            if device.status == status && device.reason == reason {
                return device;
            }
            if status == Status::Connected && device.status != Status::Connected {
                device.connected_at = Some(at);
            }
            device.status = status;
            device.reason = reason;
            device.status_seq += 1;
            device.status_at = at;
        }
        DeviceChange::Seen(at) => device.last_seen_at = device.last_seen_at.max(Some(at)),
    }
    device
}

impl TenantStore {
    pub(crate) async fn own_devices(&self) -> Result<Vec<Device>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), DEVICE);
        self.store.first(&query, MAX_DEVICES).await?.iter().map(read).collect()
    }

    pub(crate) async fn own_device(&self, id: DeviceId) -> Result<Option<Device>, PortError> {
        self.store.get(&Place::device(self.account, id)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn store_device(&self, device: &Device) -> Result<(), PortError> {
        let place = Place::device(self.account, device.id);
        let entry = self.store.shard_entry(self.account, device.id).await?;
        let writes = [Write::put(&place, item(device)).if_new(), entry];
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        match self.store.transact(&transaction).await? {
            // It is there already, so the rest of the transaction was written with it.
            Committed::Refused(refusals) if !matches!(refusals.first(), Some(Refusal::Condition(_))) => {
                Err(PortError::Conflict)
            }
            _ => Ok(()),
        }
    }

    pub(crate) async fn change_own_device(
        &self,
        id: DeviceId,
        change: &DeviceChange,
        epoch: Option<Epoch>,
    ) -> Result<Option<Device>, PortError> {
        let place = Place::device(self.account, id);
        for _ in 0..LOOKS {
            let Some(seen) = self.store.get(&place).await? else { return Ok(None) };
            let before = read(&seen)?;
            let stamped = Fields(&seen).maybe_number::<u64>("ep")?;
            let stamp = epoch.map(|epoch| epoch.0).or(stamped);
            if stamped > stamp {
                return Err(PortError::Conflict);
            }
            let after = changed(before.clone(), change);
            if after == before && stamp == stamped {
                return Ok(Some(after));
            }
            // Each write raises the version, so that between look and write nobody else came.
            let version = Fields(&seen).maybe_number::<u64>("v")?;
            let item = NewItem::from(write(NewItem::from(seen), &after))
                .maybe("ep", stamp.map(number))
                .with("v", number(version.unwrap_or(0) + 1))
                .done();
            let put = Write::put(&place, item);
            let put = match version {
                Some(version) => put.when("v = :v").with(":v", number(version)),
                None => put.when("attribute_exists(pk) AND attribute_not_exists(v)"),
            };
            if self.store.write(put).await?.is_done() {
                return Ok(Some(after));
            }
        }
        Err(PortError::Conflict)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hantar_domain::ids::AccountId;
    use hantar_domain::time::Timestamp;

    use super::*;

    pub(crate) fn device() -> Device {
        Device {
            account: AccountId(7),
            id: DeviceId(3),
            name: "Shop".into(),
            is_default: true,
            status: Status::Pairing,
            reason: Some("why".into()),
            phone: PhoneNumber::from_e164("60123456789"),
            lid: Some("99".into()),
            stanza_key: StanzaKey([9; 16]),
            pairing_wanted_until: Some(Timestamp(5)),
            pairing_code: Some(PairingCode { text: "2@x".into(), expires_at: Timestamp(6) }),
            connected_at: Some(Timestamp(7)),
            last_seen_at: Some(Timestamp(8)),
            status_seq: 4,
            status_at: Timestamp(7),
            created_at: Timestamp(1),
        }
    }

    #[test]
    fn a_device_is_read_back_as_it_was_written() {
        assert_eq!(read(&item(&device())).unwrap(), device());
    }

    #[test]
    fn writing_a_device_back_keeps_attributes_of_other_releases_and_drops_what_is_gone() {
        let mut seen = item(&device());
        seen.insert("future".into(), text("x"));
        let after = write(NewItem::from(seen), &Device { lid: None, ..device() });
        assert!(after.contains_key("future") && !after.contains_key("l"));
    }

    #[test]
    fn a_status_counts_once_and_being_seen_never_goes_back() {
        let change = DeviceChange::Status { status: Status::Connected, reason: None, at: Timestamp(50) };
        let once = changed(device(), &change);
        assert_eq!((once.status_seq, once.status_at, once.connected_at), (5, Timestamp(50), Some(Timestamp(50))));
        assert_eq!(changed(once.clone(), &change), once);
        assert_eq!(changed(device(), &DeviceChange::Seen(Timestamp(2))).last_seen_at, Some(Timestamp(8)));
    }
}
