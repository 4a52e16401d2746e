//! An account's tokens by their numbers. The token itself is found by the hash of its secret (`sign_in.rs`); an entry leads
//! from its number to that.

use hantar_domain::ids::{TokenId, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Token, TokenHash};
use hantar_usecases::ports::{Created, Deleted, Idempotency, PortError, SealedToken};

use crate::idempotency::stands_for;
use crate::items::{Fields, Item};
use crate::places::{LISTED_TOKEN, Place, Table, of_account};
use crate::reading::Query;
use crate::sign_in::{read_token, token_writes};
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// What an idempotency key of one stands for.
const KIND: &str = "tk";
/// How many are listed.
const LISTED: usize = 1_000;

fn hash_in(entry: &Item) -> Result<TokenHash, PortError> {
    let fields = Fields(entry);
    fields.bytes("h")?.try_into().map(TokenHash).map_err(|_| fields.damaged("h"))
}

impl TenantStore {
    pub(crate) async fn own_tokens(&self) -> Result<Vec<Token>, PortError> {
        let places = self.listed_tokens().await?.iter().map(|(_, hash)| Place::token(hash)).collect::<Vec<_>>();
        let items = self.store.get_all(Table::Business, &places).await?;
        let mut tokens = items.iter().map(read_token).collect::<Result<Vec<_>, _>>()?;
        tokens.sort_unstable_by_key(|token| token.id);
        Ok(tokens)
    }

    /// The entries, and the hashes that they lead to.
    pub(crate) async fn listed_tokens(&self) -> Result<Vec<(Place, TokenHash)>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), LISTED_TOKEN);
        let entries = self.store.first(&query, LISTED).await?;
        let read = |entry: &Item| {
            let id = Fields(entry).word("sk", |sk| sk.strip_prefix(LISTED_TOKEN)?.parse().ok())?;
            Ok((Place::listed_token(self.account, id), hash_in(entry)?))
        };
        entries.iter().map(read).collect()
    }

    async fn listed_token(&self, id: TokenId) -> Result<Option<(Token, TokenHash)>, PortError> {
        let entry = self.store.get(&Place::listed_token(self.account, id)).await?;
        let Some(hash) = entry.as_ref().map(hash_in).transpose()? else { return Ok(None) };
        Ok(self.store.find_token(&hash).await?.map(|token| (token, hash)))
    }

    pub(crate) async fn store_own_token(
        &self,
        token: &Token,
        hash: &TokenHash,
        most: usize,
        idempotency: Option<(&Idempotency, &[u8])>,
    ) -> Result<Created<SealedToken>, PortError> {
        if let Some((wanted, _)) = idempotency
            && let Some(taken) = self.known_key(wanted, token.created_at).await?
        {
            return self.token_again(&taken, wanted).await;
        }
        if self.listed_tokens().await?.len() >= most {
            return Ok(Created::Full);
        }
        let [put, entry] = token_writes(token, hash);
        let key =
            idempotency.map(|(key, sealed)| self.put_key_with(key, KIND, token.id.0, Some(sealed), token.created_at));
        let writes = [Some(put.if_new()), Some(entry.if_new()), key].into_iter().flatten();
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else { return Ok(Created::New) };
        match (refusals.into_iter().nth(2), idempotency) {
            (Some(Refusal::Condition(Some(taken))), Some((wanted, _))) => self.token_again(&taken, wanted).await,
            _ => Err(PortError::Corrupt(format!("token number {} is taken", token.id))),
        }
    }

    async fn token_again(&self, taken: &Item, wanted: &Idempotency) -> Result<Created<SealedToken>, PortError> {
        let Some(id) = stands_for(taken, wanted, KIND)? else { return Ok(Created::KeyReused) };
        let sealed = Fields(taken).bytes("sl")?.to_vec();
        let earlier = self.listed_token(TokenId(id)).await?;
        Ok(earlier.map_or(Created::KeyReused, |(token, _)| Created::Replayed(Box::new((token, sealed)))))
    }

    pub(crate) async fn remove_token(
        &self,
        id: TokenId,
        owner: Option<UserId>,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        let found = self.listed_token(id).await?.filter(|(token, _)| owner.is_none_or(|owner| owner == token.user));
        let Some((_, hash)) = found else {
            return Ok(self.deleted_before(idempotency, at).await?.unwrap_or(Deleted::Missing));
        };
        let entry = Write::delete(&Place::listed_token(self.account, id)).when("attribute_exists(pk)");
        let writes = vec![entry, Write::delete(&Place::token(&hash))];
        self.delete_once(writes, KIND, id.0, idempotency, at).await
    }
}
