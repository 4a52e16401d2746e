//! The API's description, made of the routes and wire types themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use crate::Api;
use crate::routes::v1::{
    account, audit_log, auth, balance, connection, message_list, messages, numbers, tokens, users, webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Hantar REST API", description = "Send and receive WhatsApp messages.", license(name = "MIT OR Apache-2.0")),
    paths(
        connection::status,
        connection::qr,
        numbers::look_up,
        messages::send,
        message_list::list,
        messages::show,
        messages::cancel,
        balance::show,
        webhooks::list,
        webhooks::create,
        webhooks::show,
        webhooks::remove,
        auth::register,
        auth::enter,
        auth::challenge,
        auth::verify,
        auth::resend,
        auth::forgot,
        auth::reset,
        auth::accept_invitation,
        auth::leave,
        auth::me,
        auth::change,
        auth::begin_two_factor,
        auth::confirm_two_factor,
        auth::renew_codes,
        auth::end_two_factor,
        users::list,
        users::show,
        users::update,
        users::make_owner,
        users::remove,
        users::invitations,
        users::ask,
        users::ask_again,
        users::uninvite,
        tokens::list,
        tokens::create,
        tokens::remove,
        audit_log::list,
        account::close,
        account::restore
    ),
    modifiers(&Bearer)
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
        document.security = Some(vec![SecurityRequirement::new::<_, [String; 0], String>("token", [])]);
    }
}

/// The description, in OpenAPI 3.1. Needs no token.
pub(crate) async fn document(State(api): State<Arc<Api>>) -> Json<Document> {
    let mut document = Description::openapi();
    document.info.version.clone_from(&api.parts.version);
    Json(document)
}
