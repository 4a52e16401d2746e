//! Received messages that say "stop" or "start".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use hantar_domain::consent::Settings;
use hantar_domain::ids::AccountId;
use hantar_usecases::note_consent::{hear_consent, may_say_so};
use hantar_usecases::ports::{Change, PortError};

use crate::relay::{Record, Relay};

impl Relay {
    /// Hears what new messages say about being written to. What is damaged is passed over: it would hold up all others.
    pub(crate) async fn hear(&self, records: &[Record]) -> Result<(), PortError> {
        let mut settings: BTreeMap<AccountId, Settings> = BTreeMap::new();
        for record in records {
            let Change::Message { old: None, new } = &record.change else { continue };
            if !may_say_so(new) {
                continue;
            }
            let tenant = self.tenants.for_account(new.account);
            let settings = match settings.entry(new.account) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(tenant.consents().consent_settings().await?),
            };
            let heard = hear_consent(&*tenant, &self.numbers, &*self.clock, new.account, settings, new);
            match heard.await {
                Err(PortError::Corrupt(damage)) => {
                    tracing::error!(account.id = %new.account, message.id = %new.id, damage, "a message was not heard");
                }
                other => other?,
            }
        }
        Ok(())
    }
}
