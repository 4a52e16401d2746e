//! One message: sent, shown, taken back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::egress::{AllowList, Refusal, Target};
use hantar_domain::ids::{DeviceId, MessageId, TemplateId, UploadId};
use hantar_domain::media::{Media, Source};
use hantar_domain::phone::PhoneError;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::cancel_message::cancel_message;
use hantar_usecases::ports::Cancelled;
use hantar_usecases::send_message::{Draft, FieldProblem, Problem, SendError, problems, send_message};
use hantar_usecases::upload_file::uploaded;
use hantar_wire::v1::Data;
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::fields::attribute;
use hantar_wire::v1::message::{MediaRequest, MessageBody, SendRequest};
use hantar_wire::v1::time;

use super::{PathText, number};
use crate::Api;
use crate::auth::ask_verified;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

type Shown = Json<Data<MessageBody>>;

fn shown(message: MessageBody) -> Shown {
    Json(Data { data: message })
}

/// Accepts one message: charged, stored and on its way when this answers.
#[utoipa::path(
    post, path = "/api/v1/messages/send", tag = "messages", request_body = SendRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 202, body = Data<MessageBody>),
        (status = 402, body = hantar_wire::v1::error::ErrorBody),
        (status = 403, description = "the token's owner has not verified the e-mail address"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let values = match body::fields(request).await {
        Ok(values) => values,
        Err(error) => {
            ask_verified(&*tenant, &caller).await?;
            return Err(error);
        }
    };
    let (asked, mut errors) = SendRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    let draft = draft(&caller, &parts.allowed, asked, key);
    if !errors.is_empty() {
        ask_verified(&*tenant, &caller).await?;
        let found = problems(&*tenant, &*parts.clock, caller.account, &draft).await?;
        add_problems(&mut errors, found);
        return Err(ApiError::Invalid(errors));
    }
    check_uploaded(&api, &caller, &draft).await?;
    match send_message(&*tenant, &parts.numbers, &*parts.clock, caller.account, draft).await {
        Ok(message) => Ok((StatusCode::ACCEPTED, shown(MessageBody::new(&message)))),
        Err(SendError::Unverified) => Err(ApiError::Unverified),
        Err(SendError::Invalid(found)) => {
            add_problems(&mut errors, found);
            Err(ApiError::Invalid(errors))
        }
        Err(SendError::Credits { required, balance }) => Err(ApiError::Credits { required, balance }),
        Err(SendError::KeyReused) => Err(key_reused()),
        Err(SendError::Port(error)) => Err(error.into()),
    }
}

/// A file that was announced must have been put to its address before it is sent. A form that cannot look leaves it to the
/// host.
async fn check_uploaded(api: &Api, caller: &Caller, draft: &Draft) -> Result<(), ApiError> {
    let Some(Ok(Media { source: Source::Upload(id), .. })) = draft.media else { return Ok(()) };
    match api.parts.blobs.size(&uploaded(caller.account, id)).await {
        Ok(None) => {
            let text = "The media.upload id field names a file that was not uploaded yet. Put it to its address first.";
            Err(ApiError::field("media.upload_id", text.to_owned()))
        }
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

pub(super) fn draft(caller: &Caller, allowed: &AllowList, asked: SendRequest, key: Option<String>) -> Draft {
    let idempotency = key.map(|key| (key, asked.canonical()));
    let caption = asked.media.as_ref().and_then(|media| media.caption.clone());
    Draft {
        phone: asked.phone,
        body: caption.unwrap_or(asked.body),
        media: asked.media.and_then(|media| file(media, allowed)),
        template: asked.template_id.map(TemplateId),
        name: asked.name,
        attributes: asked.attributes.into_iter().collect(),
        external_id: asked.external_id,
        save_contact: asked.save_contact,
        sender: Some(caller.user),
        device: asked.device.map(DeviceId),
        scheduled_at: asked.scheduled_at,
        campaign: false,
        exempt: false,
        idempotency,
    }
}

/// The file that is asked for. None where the request did not say which, which was found wrong already.
fn file(asked: MediaRequest, allowed: &AllowList) -> Option<Result<Media, Refusal>> {
    let source = match (asked.url, asked.upload_id) {
        (Some(url), _) => match Target::parse(&url, allowed) {
            Ok(_) => Source::Url(url),
            Err(refusal) => return Some(Err(refusal)),
        },
        (None, Some(id)) => Source::Upload(UploadId(id)),
        (None, None) => return None,
    };
    Some(Ok(Media { source, kind: asked.kind, filename: asked.filename }))
}

/// Adds what the use case found, but for fields that are known to be wrong already: it saw no value of theirs.
fn add_problems(errors: &mut FieldErrors, found: Vec<FieldProblem>) {
    let known = errors.clone();
    for FieldProblem { field, problem } in found.into_iter().filter(|found| !known.names(found.field)) {
        let name = attribute(field);
        let text = match problem {
            Problem::Required => format!("The {name} field is required."),
            Problem::TooLong(most) => format!("The {name} field must not be greater than {most} characters."),
            Problem::Phone { adjective, error } => phone_problem(&name, &adjective, error),
            Problem::NoDevice | Problem::NoTemplate | Problem::NoUpload => format!("The selected {name} is invalid."),
            Problem::Address(refusal) => format!("The {name} field {refusal}."),
            Problem::KeptUntil(at) => {
                format!(
                    "The {name} field names a file that is kept until {}, before the message is due.",
                    time::text(at)
                )
            }
            Problem::TextWithSound => {
                format!("The {name} field must be empty with sound, under which WhatsApp shows no text.")
            }
            Problem::OptedOut => format!("The {name} field is a number whose owner asked not to be written to."),
            Problem::Prohibited(other) => {
                format!("The {name} field is prohibited when {} is present.", attribute(other))
            }
            Problem::TooFarAhead => format!("The {name} field must be a date within one year."),
        };
        errors.add(field, text);
    }
}

/// What is wrong with a phone number in the field of this name.
pub(super) fn phone_problem(name: &str, adjective: &str, error: PhoneError) -> String {
    match error {
        PhoneError::Invalid => {
            format!("The {name} field must be a valid {adjective} phone number, such as 0123456789 or +60123456789.")
        }
        PhoneError::OtherRegion => {
            format!("The {name} field is a number of a country that this account does not send to.")
        }
    }
}

/// One message with its whole history.
#[utoipa::path(
    get, path = "/api/v1/messages/{id}", tag = "messages", params(("id" = u64, Path)),
    responses((status = 200, body = Data<MessageBody>), (status = 404, description = "no such message"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let id = number(id, ApiError::no_message)?;
    let message = api.parts.tenants.for_account(caller.account).message(MessageId(id)).await?;
    let message = message.ok_or_else(|| ApiError::no_message(id.to_string()))?;
    Ok(shown(MessageBody::with_history(&message)))
}

/// Takes a message back that has not reached the wire; its credit is given back.
#[utoipa::path(
    delete, path = "/api/v1/messages/{id}", tag = "messages",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<MessageBody>),
        (status = 404, description = "no such message"),
        (status = 409, description = "it is past cancelling"),
    )
)]
pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<Shown, ApiError> {
    let id = number(id, ApiError::no_message)?;
    let mut errors = FieldErrors::default();
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    match cancel_message(&*tenant, &*api.parts.clock, MessageId(id), key.as_deref()).await? {
        Cancelled::Done(message) => Ok(shown(MessageBody::with_history(&message))),
        Cancelled::TooLate(_) => {
            Err(ApiError::Conflict { message: "The message can no longer be cancelled.", code: "too_late" })
        }
        Cancelled::Missing => Err(ApiError::no_message(id.to_string())),
        Cancelled::KeyReused => Err(key_reused()),
    }
}
