//! People of an account, and those who are asked to join.

use hantar_domain::invitation::Invitation;
use hantar_domain::user::{Email, Role, User};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// Reads an e-mail address.
pub(super) fn email(fields: &mut Fields<'_>, field: &str) -> Option<Email> {
    let email = Email::parse(&fields.required_string(field)?).ok();
    if email.is_none() {
        fields.wrong(field, "must be a valid email address");
    }
    email
}

fn role(fields: &mut Fields<'_>, field: &str) -> Option<Role> {
    // The owner's is handed over, and not given.
    let role = Role::from_word(&fields.required_string(field)?).filter(|role| *role != Role::Owner);
    if role.is_none() {
        fields.not_selectable(field);
    }
    role
}

/// The body of `PUT users/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
pub struct RoleRequest {
    /// `admin`, `agent` or `viewer`.
    #[schema(value_type = String)]
    pub role: Role,
}

impl RoleRequest {
    /// Reads what can be read, or says what is wrong with it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        role(&mut fields, "role").map(|role| Self { role }).ok_or(fields.errors)
    }
}

/// The body of `POST invitations`.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct InvitationRequest {
    /// Who is asked.
    #[schema(value_type = String)]
    pub email: Email,
    /// `admin`, `agent` or `viewer`.
    #[schema(value_type = String)]
    pub role: Role,
}

impl InvitationRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        match (email(&mut fields, "email"), role(&mut fields, "role")) {
            (Some(email), Some(role)) => Ok(Self { email, role }),
            _ => Err(fields.errors),
        }
    }
}

/// A person as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserBody {
    /// Their number.
    pub id: u64,
    /// Their address.
    pub email: String,
    /// `owner`, `admin`, `agent` or `viewer`.
    pub role: &'static str,
    /// When they proved that the address is theirs.
    pub email_verified_at: Option<String>,
}

impl UserBody {
    /// As shown.
    pub fn new(user: &User) -> Self {
        Self {
            id: user.id.0,
            email: user.email.as_str().to_owned(),
            role: user.role.word(),
            email_verified_at: user.verified_at.map(time::text),
        }
    }
}

/// An invitation as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationBody {
    /// Its number.
    pub id: u64,
    /// Who is asked.
    pub email: String,
    /// What they would be.
    pub role: &'static str,
    /// Who asks.
    pub invited_by: u64,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
}

impl InvitationBody {
    /// As shown.
    pub fn new(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.0,
            email: invitation.email.as_str().to_owned(),
            role: invitation.role.word(),
            invited_by: invitation.by.0,
            created_at: time::text(invitation.created_at),
            expires_at: time::text(invitation.expires_at),
        }
    }
}
