//! Tokens that somebody makes for programs: shown once, listed without their secrets, deleted.

use hantar_domain::ids::{TokenId, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Abilities, Token};
use hantar_domain::user::Role;

use crate::authenticate::Caller;
use crate::create_token::{NewToken, new_secret};
use crate::idempotency::idempotency;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::{Created, Deleted, PortError, Sequence};

/// How many an account may have, those of signed-in people among them.
const MAX_TOKENS: usize = 500;

/// A token that somebody wants.
#[derive(Clone, Debug)]
pub struct WantedToken {
    /// What they call it.
    pub name: String,
    /// What it may do: nothing that the caller may not.
    pub abilities: Abilities,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// The tokens that the caller may see: all for who looks after people, their own for others.
pub async fn visible_tokens(with: &PeopleParts<'_>, caller: &Caller) -> Result<Vec<Token>, PortError> {
    let mut tokens = with.tenants.for_account(caller.account).people().tokens().await?;
    if caller.role < Role::Admin {
        tokens.retain(|token| token.user == caller.user);
    }
    Ok(tokens)
}

/// Where the text of a token is kept for as long as its idempotency key counts.
fn place(user: UserId) -> String {
    format!("token of {user}")
}

/// Makes a token for the caller and answers it with the text to show. With an idempotency key a repeat answers the same.
pub async fn make_token(
    with: &PeopleParts<'_>,
    caller: &Caller,
    wanted: WantedToken,
) -> Result<(Token, String), PeopleError> {
    if !wanted.abilities.within(&caller.abilities) {
        return Err(PeopleError::Beyond);
    }
    let (id, now) = (TokenId(with.numbers.next(Sequence::Tokens).await?), with.clock.now());
    let WantedToken { name, abilities, expires_at, idempotency: key } = wanted;
    let (account, user) = (caller.account, caller.user);
    let token = NewToken { account, user, name, abilities, expires_at }.token(id, now);
    let secret = new_secret(with.entropy);
    let shown = secret.shown(id);
    // Of the person, too: another one's key is another key.
    let kind = format!("token {user}");
    let key = key.map(|(key, content)| idempotency(&kind, &key, &content, now));
    let sealed = match &key {
        Some(_) => with.keys.seal(account, &place(user), shown.as_bytes()).await?,
        None => Vec::new(),
    };
    let key = key.as_ref().map(|key| (key, sealed.as_slice()));
    let tenant = with.tenants.for_account(account);
    match tenant.people().add_token(&token, &secret.hash(), MAX_TOKENS, key).await? {
        Created::New => Ok((token, shown)),
        Created::Replayed(earlier) => {
            let (token, sealed) = *earlier;
            let text = with.keys.open(account, &place(user), &sealed).await?;
            let text = String::from_utf8(text).map_err(|_| PortError::Corrupt("a token is no text".to_owned()))?;
            Ok((token, text))
        }
        Created::KeyReused => Err(PeopleError::KeyReused),
        Created::Full => Err(PeopleError::Full),
    }
}

/// Deletes a token that the caller may see.
pub async fn delete_token(
    with: &PeopleParts<'_>,
    caller: &Caller,
    id: TokenId,
    key: Option<&str>,
) -> Result<Deleted, PortError> {
    let now = with.clock.now();
    let idempotency = key.map(|key| idempotency("delete token", key, &id.0.to_be_bytes(), now));
    let owner = (caller.role < Role::Admin).then_some(caller.user);
    let tenant = with.tenants.for_account(caller.account);
    tenant.people().delete_token(id, owner, idempotency.as_ref(), now).await
}
