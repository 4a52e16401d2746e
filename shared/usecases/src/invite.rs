//! People are asked to join an account, and do.

use std::time::Duration;

use hantar_domain::audit::Actor;
use hantar_domain::ids::{InvitationId, UserId};
use hantar_domain::invitation::{Invitation, MAX_INVITATIONS};
use hantar_domain::password::check;
use hantar_domain::user::{Email, Role, User};

use crate::authenticate::Caller;
use crate::idempotency::idempotency;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::{Created, Deleted, Joined, PortError, Purpose, Sequence, Tenant};

/// How long an invitation counts.
const JOIN_WITHIN: Duration = Duration::from_hours(7 * 24);

/// Asks somebody to join by a letter. With an idempotency key a repeat answers the same invitation, and sends the letter
/// again: whoever died may have sent none. Whether the address is known elsewhere is told to its reader alone.
pub async fn invite(
    with: &PeopleParts<'_>,
    caller: &Caller,
    email: &Email,
    role: Role,
    key: Option<&str>,
) -> Result<Invitation, PeopleError> {
    if role == Role::Owner {
        return Err(PeopleError::Owner);
    }
    with.send_for_letter(email).await?;
    let now = with.clock.now();
    let invitation = Invitation {
        id: InvitationId(with.numbers.next(Sequence::Invitations(caller.account)).await?),
        email: email.clone(),
        role,
        by: caller.user,
        created_at: now,
        expires_at: now + JOIN_WITHIN,
    };
    let content = format!("{}\0{}", email.as_str(), role.word());
    let idempotency = key.map(|key| idempotency("invitation", key, content.as_bytes(), now));
    let tenant = with.tenants.for_account(caller.account);
    let stored = tenant.people().add_invitation(&invitation, MAX_INVITATIONS, idempotency.as_ref()).await?;
    let invitation = match stored {
        Created::New => invitation,
        Created::Replayed(earlier) => *earlier,
        Created::KeyReused => return Err(PeopleError::KeyReused),
        Created::Full => return Err(PeopleError::Full),
    };
    write(with, caller, &*tenant, &invitation).await?;
    Ok(invitation)
}

/// Sends the letter of an open invitation again. With an idempotency key a repeat sends none, once one was sent.
pub async fn remind(
    with: &PeopleParts<'_>,
    caller: &Caller,
    id: InvitationId,
    key: Option<&str>,
) -> Result<Invitation, PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let invitation = open(with, &*tenant, id).await?.ok_or(PeopleError::Missing)?;
    let keep = with.keep(key, "remind", &id.0.to_be_bytes());
    if with.earlier(&*tenant, keep.as_ref()).await?.is_some() {
        return Ok(invitation);
    }
    with.send_for_letter(&invitation.email).await?;
    write(with, caller, &*tenant, &invitation).await?;
    // After the letter: whoever died in between has it sent by trying again.
    if let Some(keep) = keep {
        tenant.people().keep(&keep).await?;
    }
    Ok(invitation)
}

async fn open(with: &PeopleParts<'_>, tenant: &dyn Tenant, id: InvitationId) -> Result<Option<Invitation>, PortError> {
    let now = with.clock.now();
    Ok(tenant.people().invitation(id).await?.filter(|invitation| invitation.expires_at > now))
}

async fn write(
    with: &PeopleParts<'_>,
    caller: &Caller,
    tenant: &dyn Tenant,
    invitation: &Invitation,
) -> Result<(), PeopleError> {
    let account = tenant.account().await?.ok_or(PeopleError::Missing)?;
    let Invitation { id, email, role, .. } = invitation;
    if with.known(email).await?.is_some() {
        return Ok(with.letter_of_other_account(email, &account.name).await?);
    }
    let by = tenant.user(caller.user).await?.ok_or(PeopleError::Missing)?;
    let left = invitation.expires_at.since(with.clock.now());
    let secret = with.new_link(&by, Purpose::Join(*id), left).await?;
    Ok(with.letter_to_join(email, &account.name, *role, &secret).await?)
}

/// Takes an invitation back: its letter leads nowhere any more.
pub async fn take_back(
    with: &PeopleParts<'_>,
    caller: &Caller,
    id: InvitationId,
    key: Option<&str>,
) -> Result<Deleted, PortError> {
    let now = with.clock.now();
    let idempotency = key.map(|key| idempotency("delete invitation", key, &id.0.to_be_bytes(), now));
    let tenant = with.tenants.for_account(caller.account);
    tenant.people().delete_invitation(id, idempotency.as_ref(), now).await
}

/// Joins an account by a letter's secret, which proves that the address is theirs.
pub async fn join(with: &PeopleParts<'_>, secret: &str, password: &str) -> Result<User, PeopleError> {
    with.try_secret().await?;
    let (hash, link) = with.link(secret).await?;
    let Purpose::Join(id) = link.purpose else { return Err(PeopleError::Link) };
    let tenant = with.tenants.for_account(link.account);
    let invitation = open(with, &*tenant, id).await?.ok_or(PeopleError::Link)?;
    check(password, &invitation.email)?;
    let user = User {
        id: UserId(with.numbers.next(Sequence::Users).await?),
        account: link.account,
        email: invitation.email,
        verified_at: Some(with.clock.now()),
        role: invitation.role,
        signed_out_at: None,
    };
    match tenant.people().accept_invitation(id, &user, &with.hashed(password)?).await? {
        Joined::Done => {}
        Joined::Gone => return Err(PeopleError::Link),
        Joined::Taken => return Err(PeopleError::Taken),
    }
    with.note(&*tenant, Actor { user: Some(user.id), ..with.stranger() }, "join", 201).await?;
    with.fleet.take_link(&hash).await?;
    Ok(user)
}
