//! How somebody signs in: a password's hash, a sealed second factor, recovery codes. An item beside the person's, which is
//! read by every request.

use hantar_domain::ids::{AccountId, UserId};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Keep, Login, NewPassword, PortError};

use crate::items::{Fields, Item, NewItem, bytes, number, text, time};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal};
use crate::writing::Write;

/// The first one, with a password.
pub(crate) fn first(account: AccountId, user: UserId, password: &str) -> Write {
    let place = Place::login(account, user);
    Write::put(&place, NewItem::at(&place).with("pw", text(password)).done()).if_new()
}

fn read(item: &Item) -> Result<Login, PortError> {
    let fields = Fields(item);
    Ok(Login {
        password: fields.owned("pw")?,
        second_factor: fields.maybe_bytes("sf")?.map(<[u8]>::to_vec),
        wanted_factor: fields.maybe_bytes("wf")?.map(<[u8]>::to_vec),
        used_step: fields.maybe_number("sp")?.unwrap_or(0),
        recovery: fields.maybe_word("rc", read_codes)?.unwrap_or_default(),
    })
}

/// One text for all of them, so that a condition can compare them.
fn codes(hashes: &[[u8; 32]]) -> String {
    hashes.iter().map(hex::encode).collect::<Vec<_>>().join(" ")
}

fn read_codes(text: &str) -> Option<Vec<[u8; 32]>> {
    text.split_whitespace().map(|code| hex::decode(code).ok()?.try_into().ok()).collect()
}

impl TenantStore {
    fn change_login(&self, user: UserId, expression: &str) -> Write {
        Write::update(&Place::login(self.account, user), expression)
    }

    pub(crate) async fn own_login(&self, user: UserId) -> Result<Option<Login>, PortError> {
        self.store.get(&Place::login(self.account, user)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn store_password(
        &self,
        user: UserId,
        password: &NewPassword,
        keep: Option<&Keep>,
    ) -> Result<bool, PortError> {
        let verified = if password.by_letter { ", vt = if_not_exists(vt, :at)" } else { "" };
        let writes = [
            Write::update(&Place::user(self.account, user), format!("SET so = :at{verified}"))
                .when("attribute_exists(pk)")
                .with(":at", time(password.at)),
            self.change_login(user, "SET pw = :pw").with(":pw", text(&password.hash)),
        ];
        Ok(matches!(self.write_keeping(writes, keep).await?, Committed::Done))
    }

    pub(crate) async fn note_verified(&self, user: UserId, at: Timestamp) -> Result<(), PortError> {
        let verified = Write::update(&Place::user(self.account, user), "SET vt = if_not_exists(vt, :at)");
        self.store.write(verified.when("attribute_exists(pk)").with(":at", time(at))).await.map(drop)
    }

    pub(crate) async fn want_factor(
        &self,
        user: UserId,
        sealed: &[u8],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError> {
        let want = self.change_login(user, "SET wf = :wf").with(":wf", bytes(sealed));
        Ok(matches!(self.write_keeping([want], keep).await?, Committed::Done))
    }

    pub(crate) async fn confirm_factor(
        &self,
        user: UserId,
        sealed: &[u8],
        step: u64,
        recovery: &[[u8; 32]],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError> {
        let confirm = self
            .change_login(user, "SET sf = :wf, sp = :sp, rc = :rc REMOVE wf")
            .when("wf = :wf")
            .with(":wf", bytes(sealed))
            .with(":sp", number(step))
            .with(":rc", text(codes(recovery)));
        let Committed::Refused(refusals) = self.write_keeping([confirm], keep).await? else { return Ok(true) };
        match refusals.first() {
            Some(Refusal::Condition(Some(item))) => {
                let login = read(item)?;
                Ok(login.second_factor.as_deref() == Some(sealed) && login.recovery == recovery)
            }
            _ => Ok(false),
        }
    }

    pub(crate) async fn drop_factor(&self, user: UserId, keep: Option<&Keep>) -> Result<bool, PortError> {
        let drop = self.change_login(user, "REMOVE sf, wf, rc").when("attribute_exists(pk)");
        Ok(matches!(self.write_keeping([drop], keep).await?, Committed::Done))
    }

    /// A lost answer makes it a code too few.
    pub(crate) async fn use_up_step(&self, user: UserId, step: u64) -> Result<bool, PortError> {
        let use_up = self
            .change_login(user, "SET sp = :sp")
            .when("attribute_exists(sf) AND (attribute_not_exists(sp) OR sp < :sp)")
            .with(":sp", number(step));
        Ok(self.store.write(use_up).await?.is_done())
    }

    /// As above: whoever else wrote the very same codes may have used the same one.
    pub(crate) async fn swap_recovery(
        &self,
        user: UserId,
        seen: &[[u8; 32]],
        recovery: &[[u8; 32]],
        keep: Option<&Keep>,
    ) -> Result<bool, PortError> {
        let swap = self
            .change_login(user, "SET rc = :rc")
            .when("attribute_exists(sf) AND rc = :seen")
            .with(":rc", text(codes(recovery)))
            .with(":seen", text(codes(seen)));
        Ok(matches!(self.write_keeping([swap], keep).await?, Committed::Done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_read_back_as_they_were_written() {
        for hashes in [vec![], vec![[1; 32]], vec![[2; 32], [3; 32]]] {
            assert_eq!(read_codes(&codes(&hashes)), Some(hashes));
        }
        assert_eq!(read_codes("01 xx"), None);
    }
}
