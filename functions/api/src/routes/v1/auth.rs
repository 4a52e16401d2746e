//! Signing up and in, letters, passwords, the second factor.
//!
//! Whether an address is known is told nowhere: what depends on it goes into a letter.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::invite::join;
use hantar_usecases::manage_tokens::delete_token;
use hantar_usecases::passwords::{change_password, forgot_password, reset_password};
use hantar_usecases::people::{ClientAddress, PeopleError};
use hantar_usecases::second_factor;
use hantar_usecases::sign_in_by_password::{Given, Shown, SignedIn, Wanted, show_second_factor, sign_in};
use hantar_usecases::sign_up::{SignUp, resend_verification, sign_up, verify_email};
use hantar_wire::v1::Data;
use hantar_wire::v1::auth::{
    ChallengeRequest, ChangePasswordRequest, CodeRequest, EmailRequest, LetterRequest, MeBody, PasswordRequest,
    RecoveryCodesBody, Said, SignInRequest, SignUpRequest, SignedInBody, TwoFactorBody,
};
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::token::TokenBody;
use hantar_wire::v1::user::UserBody;
use serde_json::{Map, Value};

use crate::Api;
use crate::body::{self, idempotency_key};
use crate::errors::ApiError;
use crate::people::{refused, with};

type Answered<T> = Result<Json<Data<T>>, ApiError>;
type Accepted = Result<(StatusCode, Json<Data<Said>>), ApiError>;

/// What a request about people says.
pub(super) struct Asked<T> {
    /// Where it comes from.
    pub(super) address: Option<ClientAddress>,
    /// Its idempotency key.
    pub(super) key: Option<String>,
    /// Its body as it was understood.
    pub(super) body: T,
}

/// Reads a request of somebody who is signed in.
pub(super) async fn read<T>(
    request: Request,
    understand: impl FnOnce(&Map<String, Value>) -> Result<T, FieldErrors>,
) -> Result<Asked<T>, ApiError> {
    let headers = request.headers().clone();
    let address = request.extensions().get::<ClientAddress>().cloned();
    let values = body::fields(request).await?;
    let (body, mut errors) = match understand(&values) {
        Ok(body) => (Some(body), FieldErrors::default()),
        Err(errors) => (None, errors),
    };
    let key = idempotency_key(&headers, &mut errors);
    let body = body.filter(|_| errors.is_empty()).ok_or(ApiError::Invalid(errors))?;
    Ok(Asked { address, key, body })
}

/// Reads a request of somebody who is not signed in yet: there is nobody that a key could belong to.
async fn read_unsigned<T>(
    request: Request,
    understand: impl FnOnce(&Map<String, Value>) -> Result<T, FieldErrors>,
) -> Result<(Option<ClientAddress>, T), ApiError> {
    let address = request.extensions().get::<ClientAddress>().cloned();
    let values = body::fields(request).await?;
    Ok((address, understand(&values).map_err(ApiError::Invalid)?))
}

fn wrong(api: &Api) -> impl Fn(PeopleError) -> ApiError + '_ {
    move |error| refused(api, error, "User", "")
}

fn shown<T>(data: T) -> Json<Data<T>> {
    Json(Data { data })
}

fn accepted(message: &'static str) -> (StatusCode, Json<Data<Said>>) {
    (StatusCode::ACCEPTED, shown(Said { message }))
}

/// Makes an account, and sends a letter to confirm the address. The answer does not tell whether the address was known.
#[utoipa::path(
    post, path = "/api/v1/auth/sign-up", tag = "auth", request_body = SignUpRequest, security(()),
    responses((status = 202, body = Data<Said>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn register(State(api): State<Arc<Api>>, request: Request) -> Accepted {
    let (address, asked) = read_unsigned(request, SignUpRequest::read).await?;
    let SignUpRequest { email, password, account } = asked;
    sign_up(&with(&api, address.as_ref()), SignUp { email, password, account }).await.map_err(wrong(&api))?;
    Ok(accepted("We have emailed you what to do next."))
}

/// Signs in. Where a second factor is to be shown, the answer says with which `challenge`.
#[utoipa::path(
    post, path = "/api/v1/auth/sign-in", tag = "auth", request_body = SignInRequest, security(()),
    responses((status = 200, body = Data<SignedInBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn enter(State(api): State<Arc<Api>>, request: Request) -> Answered<SignedInBody> {
    let (address, asked) = read_unsigned(request, SignInRequest::read).await?;
    let wanted = Wanted::Token(asked.device_name);
    let entered = sign_in(&with(&api, address.as_ref()), &asked.email, &asked.password, wanted).await;
    Ok(entered_as(entered.map_err(wrong(&api))?))
}

/// Shows the second factor.
#[utoipa::path(
    post, path = "/api/v1/auth/two-factor-challenge", tag = "auth", request_body = ChallengeRequest, security(()),
    responses((status = 200, body = Data<SignedInBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn challenge(State(api): State<Arc<Api>>, request: Request) -> Answered<SignedInBody> {
    let (address, asked) = read_unsigned(request, ChallengeRequest::read).await?;
    let factor = match (asked.code, asked.recovery_code) {
        (Some(code), _) => Shown::Code(code),
        (None, code) => Shown::Recovery(code.unwrap_or_default()),
    };
    let (with, wanted) = (with(&api, address.as_ref()), Wanted::Token(asked.device_name));
    let entered = show_second_factor(&with, &asked.challenge, &factor, wanted).await;
    let entered = entered.map_err(|error| match error {
        PeopleError::Link => ApiError::field("challenge", "This challenge is invalid."),
        error => wrong(&api)(error),
    });
    Ok(entered_as(entered?))
}

fn entered_as(entered: SignedIn) -> Json<Data<SignedInBody>> {
    shown(match entered {
        SignedIn::SecondFactor(challenge) => {
            SignedInBody { two_factor: true, challenge: Some(challenge), ..SignedInBody::default() }
        }
        SignedIn::Done(user, given) => {
            let token = match given {
                Given::Token(token, text) => Some(TokenBody::with_text(&token, text)),
                Given::Cookie(_) => None,
            };
            SignedInBody { token, user: Some(UserBody::new(&user)), ..SignedInBody::default() }
        }
    })
}

/// Confirms an address by the letter's token and the password.
#[utoipa::path(
    post, path = "/api/v1/auth/verify-email", tag = "auth", request_body = LetterRequest, security(()),
    responses((status = 200, body = Data<UserBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn verify(State(api): State<Arc<Api>>, request: Request) -> Answered<UserBody> {
    let (address, asked) = read_unsigned(request, LetterRequest::read).await?;
    let user = verify_email(&with(&api, address.as_ref()), &asked.token, &asked.password).await;
    Ok(shown(UserBody::new(&user.map_err(wrong(&api))?)))
}

/// Sends the letter to confirm an address once more, if somebody waits for it.
#[utoipa::path(
    post, path = "/api/v1/auth/resend-verification", tag = "auth", request_body = EmailRequest, security(()),
    responses((status = 202, body = Data<Said>))
)]
pub(crate) async fn resend(State(api): State<Arc<Api>>, request: Request) -> Accepted {
    let (address, asked) = read_unsigned(request, EmailRequest::read).await?;
    resend_verification(&with(&api, address.as_ref()), &asked.email).await.map_err(wrong(&api))?;
    Ok(accepted("If this address waits to be confirmed, we have emailed you."))
}

/// Sends a letter to set a new password, if somebody has this address.
#[utoipa::path(
    post, path = "/api/v1/auth/forgot-password", tag = "auth", request_body = EmailRequest, security(()),
    responses((status = 202, body = Data<Said>))
)]
pub(crate) async fn forgot(State(api): State<Arc<Api>>, request: Request) -> Accepted {
    let (address, asked) = read_unsigned(request, EmailRequest::read).await?;
    forgot_password(&with(&api, address.as_ref()), &asked.email).await.map_err(wrong(&api))?;
    Ok(accepted("If this address has an account, we have emailed your password reset link."))
}

/// Sets a new password by a letter's token. Whoever was signed in is signed out.
#[utoipa::path(
    post, path = "/api/v1/auth/reset-password", tag = "auth", request_body = LetterRequest, security(()),
    responses((status = 200, body = Data<UserBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn reset(State(api): State<Arc<Api>>, request: Request) -> Answered<UserBody> {
    let (address, asked) = read_unsigned(request, LetterRequest::read).await?;
    let user = reset_password(&with(&api, address.as_ref()), &asked.token, &asked.password).await;
    Ok(shown(UserBody::new(&user.map_err(wrong(&api))?)))
}

/// Joins an account by an invitation's token.
#[utoipa::path(
    post, path = "/api/v1/auth/accept-invitation", tag = "auth", request_body = LetterRequest, security(()),
    responses((status = 201, body = Data<UserBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn accept_invitation(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<(StatusCode, Json<Data<UserBody>>), ApiError> {
    let (address, asked) = read_unsigned(request, LetterRequest::read).await?;
    let user = join(&with(&api, address.as_ref()), &asked.token, &asked.password).await;
    Ok((StatusCode::CREATED, shown(UserBody::new(&user.map_err(wrong(&api))?))))
}

/// Ends the token that this is asked with.
#[utoipa::path(
    post, path = "/api/v1/auth/sign-out", tag = "auth",
    responses((status = 204, description = "ended"), (status = 401, description = "it has ended already"))
)]
pub(crate) async fn leave(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ApiError> {
    if let Some(token) = caller.token {
        delete_token(&with(&api, None), &caller, token, None).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever asks.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", responses((status = 200, body = Data<MeBody>)))]
pub(crate) async fn me(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>) -> Answered<MeBody> {
    let tenant = api.parts.tenants.for_account(caller.account);
    let user = tenant.user(caller.user).await?.ok_or(ApiError::Unauthenticated)?;
    let login = tenant.people().login(caller.user).await?.unwrap_or_default();
    Ok(shown(MeBody {
        user: UserBody::new(&user),
        account_id: caller.account.0,
        abilities: caller.abilities.names().to_vec(),
        two_factor: login.second_factor.is_some(),
        recovery_codes_left: login.recovery.len(),
    }))
}

/// Sets a new password by the old one. Whoever is signed in is signed out, the caller too.
#[utoipa::path(
    post, path = "/api/v1/auth/change-password", tag = "auth", request_body = ChangePasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 204, description = "changed"), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let asked = read(request, ChangePasswordRequest::read).await?;
    let with = with(&api, asked.address.as_ref());
    let changed =
        change_password(&with, &caller, &asked.body.current_password, &asked.body.password, asked.key.as_deref()).await;
    changed.map(|()| StatusCode::NO_CONTENT).map_err(|error| match error {
        PeopleError::Password => ApiError::field("current_password", "The password is incorrect."),
        error => wrong(&api)(error),
    })
}

/// Begins to use an authenticator app: it counts once a code of it was confirmed.
#[utoipa::path(
    post, path = "/api/v1/auth/two-factor", tag = "auth", request_body = PasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 200, body = Data<TwoFactorBody>), (status = 409, description = "one is used already"))
)]
pub(crate) async fn begin_two_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered<TwoFactorBody> {
    let asked = read(request, PasswordRequest::read).await?;
    let begun =
        second_factor::begin(&with(&api, asked.address.as_ref()), &caller, &asked.body.password, asked.key.as_deref())
            .await;
    let (secret, user) = begun.map_err(wrong(&api))?;
    Ok(shown(TwoFactorBody::new(&secret, &user)))
}

/// Confirms an app by a code of it. The recovery codes are shown in this answer and never again.
#[utoipa::path(
    post, path = "/api/v1/auth/two-factor/confirm", tag = "auth", request_body = CodeRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 200, body = Data<RecoveryCodesBody>), (status = 409, description = "none was begun"))
)]
pub(crate) async fn confirm_two_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered<RecoveryCodesBody> {
    let asked = read(request, CodeRequest::read).await?;
    let codes =
        second_factor::confirm(&with(&api, asked.address.as_ref()), &caller, &asked.body.code, asked.key.as_deref())
            .await;
    Ok(shown(RecoveryCodesBody { recovery_codes: codes.map_err(wrong(&api))? }))
}

/// Makes other recovery codes; those from before are void.
#[utoipa::path(
    post, path = "/api/v1/auth/two-factor/recovery-codes", tag = "auth", request_body = PasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 200, body = Data<RecoveryCodesBody>), (status = 409, description = "no second factor"))
)]
pub(crate) async fn renew_codes(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered<RecoveryCodesBody> {
    let asked = read(request, PasswordRequest::read).await?;
    let codes = second_factor::renew_codes(
        &with(&api, asked.address.as_ref()),
        &caller,
        &asked.body.password,
        asked.key.as_deref(),
    )
    .await;
    Ok(shown(RecoveryCodesBody { recovery_codes: codes.map_err(wrong(&api))? }))
}

/// Ends the second factor.
#[utoipa::path(
    delete, path = "/api/v1/auth/two-factor", tag = "auth", request_body = PasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 204, description = "ended"))
)]
pub(crate) async fn end_two_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let asked = read(request, PasswordRequest::read).await?;
    second_factor::end(&with(&api, asked.address.as_ref()), &caller, &asked.body.password, asked.key.as_deref())
        .await
        .map_err(wrong(&api))?;
    Ok(StatusCode::NO_CONTENT)
}
