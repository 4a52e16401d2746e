//! A new API token: shown once, kept as a hash.

use hantar_domain::ids::{AccountId, TokenId, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Abilities, RANDOM_BYTES, Secret, Token};

use crate::numbers::Numbers;
use crate::ports::{Clock, Entropy, Fleet, PortError, Sequence};

/// A new secret.
pub fn new_secret(entropy: &dyn Entropy) -> Secret {
    loop {
        let mut random = [0; RANDOM_BYTES];
        entropy.fill(&mut random);
        if let Some(secret) = Secret::from_random(&random) {
            return secret;
        }
    }
}

/// What a new token is.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The account that it opens.
    pub account: AccountId,
    /// The person that it acts for.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub abilities: Abilities,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
}

impl NewToken {
    pub(crate) fn token(self, id: TokenId, created_at: Timestamp) -> Token {
        Token {
            id,
            account: self.account,
            user: self.user,
            name: self.name,
            abilities: self.abilities,
            expires_at: self.expires_at,
            last_used_at: None,
            created_at,
            by_sign_in: false,
        }
    }
}

/// Makes a token and answers it with the text to show. Not repeatable: each run makes another one.
pub async fn create_token(
    fleet: &dyn Fleet,
    numbers: &Numbers,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
    new: NewToken,
) -> Result<(Token, String), PortError> {
    let id = TokenId(numbers.next(Sequence::Tokens).await?);
    let secret = new_secret(entropy);
    let token = new.token(id, clock.now());
    fleet.put_token(&token, &secret.hash()).await?;
    Ok((token, secret.shown(id)))
}
