//! Signing up and in, passwords, the second factor, the end of an account.

use hantar_domain::second_factor::TotpSecret;
use hantar_domain::time::Timestamp;
use hantar_domain::user::{Email, User};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;
use super::token::TokenBody;
use super::user::{UserBody, email};

/// The longest name of an account or a token, in characters.
const MAX_NAME_CHARS: usize = 255;
/// What a token made by signing in is called, unless told.
const SIGNED_IN: &str = "sign-in";

fn name(fields: &mut Fields<'_>, field: &str) -> Option<String> {
    let name = fields.string(field)?;
    if name.chars().count() > MAX_NAME_CHARS {
        fields.wrong(field, &format!("must not be greater than {MAX_NAME_CHARS} characters"));
    }
    Some(name)
}

fn done<T>(request: T, fields: Fields<'_>) -> Result<T, FieldErrors> {
    if fields.errors.is_empty() { Ok(request) } else { Err(fields.errors) }
}

/// The body of `POST auth/sign-up`.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct SignUpRequest {
    /// Your address.
    #[schema(value_type = String)]
    pub email: Email,
    /// A password of 10 characters or more.
    pub password: String,
    /// What the account is called; the address when absent.
    pub account: Option<String>,
}

impl SignUpRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let (email, password) = (email(&mut fields, "email"), fields.required_string("password"));
        let account = name(&mut fields, "account");
        match (email, password) {
            (Some(email), Some(password)) => done(Self { email, password, account }, fields),
            _ => Err(fields.errors),
        }
    }
}

/// The body of `POST auth/sign-in`.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct SignInRequest {
    /// Your address.
    #[schema(value_type = String)]
    pub email: Email,
    /// Your password.
    pub password: String,
    /// What the token is called.
    pub device_name: String,
}

impl SignInRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let (email, password) = (email(&mut fields, "email"), fields.required_string("password"));
        let device_name = name(&mut fields, "device_name").unwrap_or_else(|| SIGNED_IN.to_owned());
        match (email, password) {
            (Some(email), Some(password)) => done(Self { email, password, device_name }, fields),
            _ => Err(fields.errors),
        }
    }
}

/// The body of `POST auth/two-factor-challenge`.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct ChallengeRequest {
    /// What the right password was answered with.
    pub challenge: String,
    /// The code of your app, …
    pub code: Option<String>,
    /// … or a recovery code.
    pub recovery_code: Option<String>,
    /// What the token is called.
    pub device_name: String,
}

impl ChallengeRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let challenge = fields.required_string("challenge").unwrap_or_default();
        let (code, recovery_code) = (fields.string("code"), fields.string("recovery_code"));
        if code.is_none() && recovery_code.is_none() && !fields.errors.names("code") {
            fields.wrong("code", "is required");
        }
        let device_name = name(&mut fields, "device_name").unwrap_or_else(|| SIGNED_IN.to_owned());
        done(Self { challenge, code, recovery_code, device_name }, fields)
    }
}

/// A body of an address alone.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct EmailRequest {
    /// The address.
    #[schema(value_type = String)]
    pub email: Email,
}

impl EmailRequest {
    /// Reads it, or says what is wrong with it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        email(&mut fields, "email").map(|email| Self { email }).ok_or(fields.errors)
    }
}

/// A body of a letter's token and a password: the one that one has, or a new one.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct LetterRequest {
    /// The token in the letter.
    pub token: String,
    /// A password.
    pub password: String,
}

impl LetterRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let token = fields.required_string("token").unwrap_or_default();
        let password = fields.required_string("password").unwrap_or_default();
        done(Self { token, password }, fields)
    }
}

/// The body of `POST auth/change-password`.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct ChangePasswordRequest {
    /// The one that you have.
    pub current_password: String,
    /// The new one.
    pub password: String,
}

impl ChangePasswordRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let current_password = fields.required_string("current_password").unwrap_or_default();
        let password = fields.required_string("password").unwrap_or_default();
        done(Self { current_password, password }, fields)
    }
}

/// A body of one's password alone: asked for once more before what cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct PasswordRequest {
    /// Your password.
    pub password: String,
}

impl PasswordRequest {
    /// Reads it, or says what is wrong with it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let password = fields.required_string("password").unwrap_or_default();
        done(Self { password }, fields)
    }
}

/// A body of a code alone.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct CodeRequest {
    /// The code that your app shows.
    pub code: String,
}

impl CodeRequest {
    /// Reads it, or says what is wrong with it.
    pub fn read(values: &Map<String, Value>) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let code = fields.required_string("code").unwrap_or_default();
        done(Self { code }, fields)
    }
}

/// An answer in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Said {
    /// The words.
    pub message: &'static str,
}

/// What signing in is answered with: a token, or what to show the second factor with.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SignedInBody {
    /// Whether the second factor is still to be shown.
    pub two_factor: bool,
    /// What to show it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenBody>,
    /// Who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserBody>,
}

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeBody {
    /// They themselves.
    #[serde(flatten)]
    pub user: UserBody,
    /// The account that they belong to.
    pub account_id: u64,
    /// What the token may do, as far as they may.
    pub abilities: Vec<String>,
    /// Whether a second factor is asked of them.
    pub two_factor: bool,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
}

/// What an authenticator app is given.
#[derive(Debug, Serialize, ToSchema)]
pub struct TwoFactorBody {
    /// To be typed in, …
    pub secret: String,
    /// … or shown as a QR code.
    pub url: String,
}

impl TwoFactorBody {
    /// As shown once.
    pub fn new(secret: &TotpSecret, user: &User) -> Self {
        Self { secret: secret.shown(), url: secret.url(&user.email) }
    }
}

/// Recovery codes, shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodesBody {
    /// The codes; each works once.
    pub recovery_codes: Vec<String>,
}

/// An account that is to be deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosingBody {
    /// When it is deleted.
    pub deletes_at: String,
}

impl ClosingBody {
    /// As shown.
    pub fn new(due_at: Timestamp) -> Self {
        Self { deletes_at: time::text(due_at) }
    }
}
