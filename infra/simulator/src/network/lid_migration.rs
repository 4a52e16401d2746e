//! Chats move from phone numbers to LIDs. An account whose chats did not move yet is written to, and writes, by
//! number; when they move, its phone tells its companions which LID each number stands for, and the flag that says
//! so is on from then.

use std::collections::BTreeSet;

use waproto::whatsapp::LIDMigrationMapping;

use crate::content;
use crate::network::{Network, NetworkError, State};

/// The flag by which the server lets clients go over to LIDs.
const MIGRATION_FLAG: u32 = 9_435;

impl Network {
    /// An account whose chats still go by phone number; only one without companions can be made one.
    pub fn keep_numbers(&self, phone: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let Some(entry) = state.accounts.get_mut(account) else { return Ok(()) };
        if !entry.devices.is_empty() {
            return Err(NetworkError::invalid("migrated", "can be false only for a phone without companions"));
        }
        entry.migrated_at = None;
        entry.profile.flags.remove(&MIGRATION_FLAG);
        Ok(())
    }

    /// An account's chats move to LIDs; its companions are told what stands for what. Done once: later calls tell
    /// the companions again.
    pub fn migrate_to_lids(&self, phone: &str) -> Result<(), NetworkError> {
        let (account, companions, message) = {
            let mut state = self.state();
            let account = state.known_phone(phone)?;
            let now = state.now_seconds();
            let Some(entry) = state.accounts.get_mut(account) else { return Ok(()) };
            let at = *entry.migrated_at.get_or_insert(now);
            entry.profile.flags.insert(MIGRATION_FLAG, "1".to_owned());
            let companions: Vec<u16> = entry.devices.keys().copied().collect();
            (account, companions, content::lid_mappings(state.mappings(account), at))
        };
        for companion in companions {
            self.tell_companion(account, companion, vec![message.clone()]);
        }
        Ok(())
    }

    /// Whether an account's chats go by LID.
    pub fn is_migrated(&self, phone: &str) -> Result<bool, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        Ok(state.goes_by_lid(account))
    }
}

impl State {
    pub(crate) fn goes_by_lid(&self, account: usize) -> bool {
        self.accounts.get(account).is_some_and(|account| account.migrated_at.is_some())
    }

    /// Which LID stands for which number, of everybody an account ever had to do with.
    fn mappings(&self, account: usize) -> Vec<LIDMigrationMapping> {
        let mut people: BTreeSet<usize> = self.contacts(account);
        let shown = self.accounts.get(account).map(|own| own.chat.list()).unwrap_or_default();
        people.extend(shown.iter().filter_map(|message| self.account_by_phone(message.other())));
        let mapping = |person: usize| {
            let person = self.accounts.get(person)?;
            let (pn, assigned_lid) = (person.phone.parse().ok()?, person.lid.parse().ok()?);
            Some(LIDMigrationMapping { pn, assigned_lid, latest_lid: None })
        };
        people.into_iter().filter_map(mapping).collect()
    }
}
