//! The administrator's commands.

use anyhow::{Context as _, anyhow};
use hantar_domain::ids::{AccountId, UserId};
use hantar_domain::token::Abilities;
use hantar_domain::user::Email;
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::found_account::{NewAccount, add_device, found_account};
use hantar_usecases::sign_in::create_sign_in;
use serde_json::{Value, json};

use crate::cli::{AdminCommand, ConfigError, CreditsCommand, DeviceCommand, TokenCommand, UserCommand};
use crate::office::Office;

/// Runs one command and prints its answer.
pub async fn run(office: &Office, command: AdminCommand) -> anyhow::Result<()> {
    match command {
        AdminCommand::Token(TokenCommand::Create { name, abilities, email, json, .. }) => {
            let abilities = if abilities.is_empty() { Abilities::all() } else { named(abilities)? };
            let (account, user) = person(office, email.as_ref()).await?;
            let (id, shown) = token(office, account, user, name, abilities).await?;
            answer(json, &json!({ "id": id, "token": shown, "account": account.0, "user": user.0 }), &shown);
        }
        AdminCommand::User(UserCommand::Create { email, account, verified, credits, json, .. }) => {
            let name = account.unwrap_or_else(|| email.as_str().to_owned());
            let new = NewAccount { name, email: email.clone(), verified, credits, device_name: "WhatsApp".into() };
            let founded = found_account(&office.founders(), new).await?;
            let founded = founded.ok_or_else(|| anyhow!("{} is taken; take another address", email.as_str()))?;
            let (account, user) = (founded.account.id, founded.owner.id);
            let (_, shown) = token(office, account, user, "first".into(), Abilities::all()).await?;
            let facts = json!({ "id": user.0, "email": email.as_str(), "verified": verified, "account": account.0, "device": founded.device.id.0, "token": shown });
            answer(json, &facts, &shown);
        }
        AdminCommand::Device(DeviceCommand::Create { name, account, json, .. }) => {
            let account = chosen(office, account).await?;
            let device =
                add_device(&office.founders(), office.tenants.for_account(account).as_ref(), account, name).await?;
            answer(
                json,
                &json!({ "id": device.id.0, "name": device.name, "account": account.0 }),
                &device.id.to_string(),
            );
        }
        AdminCommand::Credits(CreditsCommand::Grant { credits, account, json, .. }) => {
            let account = chosen(office, account).await?;
            let mut name = [0; 16];
            office.entropy.fill(&mut name);
            let movement = format!("grant-{:032x}", u128::from_be_bytes(name));
            let balance = office.tenants.for_account(account).grant(credits, &movement, office.clock.now()).await?;
            let facts = json!({ "account": account.0, "granted": credits, "balance": balance.available });
            answer(json, &facts, &format!("{} credits in account {account}", balance.available));
        }
        AdminCommand::SignIn(args) => {
            let (account, user) = person(office, args.email.as_ref()).await?;
            let secret =
                create_sign_in(office.fleet.as_ref(), office.entropy.as_ref(), office.clock.as_ref(), account, user)
                    .await?;
            let place = office.public_url.clone().unwrap_or_else(|| format!("http://{}", args.listen));
            answer(false, &Value::Null, &format!("{place}/sign-in?secret={secret}"));
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn answer(as_json: bool, facts: &Value, text: &str) {
    if as_json {
        println!("{facts}");
    } else {
        println!("{text}");
    }
}

fn named(names: Vec<String>) -> Result<Abilities, ConfigError> {
    Abilities::from_names(names).map_err(|error| ConfigError { name: "--abilities", expected: error.to_string() })
}

async fn token(
    office: &Office,
    account: AccountId,
    user: UserId,
    name: String,
    abilities: Abilities,
) -> anyhow::Result<(u64, String)> {
    let new = NewToken { account, user, name, abilities, expires_at: None };
    let Office { fleet, numbers, entropy, clock, .. } = office;
    let (token, shown) = create_token(fleet.as_ref(), numbers, entropy.as_ref(), clock.as_ref(), new).await?;
    Ok((token.id.0, shown))
}

/// The person with this address, or the owner of the first account.
async fn person(office: &Office, email: Option<&Email>) -> anyhow::Result<(AccountId, UserId)> {
    let owner = Email::parse(crate::up::OWNER)?;
    let email = email.unwrap_or(&owner);
    let found = office.fleet.user_by_email(email).await?;
    found.with_context(|| {
        format!("nobody has the address {}; start `hantar up` once, or name somebody with --email", email.as_str())
    })
}

async fn chosen(office: &Office, account: Option<u64>) -> anyhow::Result<AccountId> {
    let accounts = office.fleet.accounts().await?;
    match account {
        Some(number) => accounts
            .into_iter()
            .find(|account| account.0 == number)
            .with_context(|| format!("there is no account {number}")),
        None => accounts
            .into_iter()
            .min()
            .context("there is no account yet; start `hantar up` once, or make one with `hantar user create`"),
    }
}
