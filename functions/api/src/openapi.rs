//! The API's description, made of the routes and wire types themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use crate::Api;
use crate::routes::v1::{
    account, audit_log, auth, balance, billing, bulk, campaign_exports, campaign_lists, campaigns, connection,
    consents, contact_erasures, contact_groups, contact_list, contacts, credits, exports, imports, message_list,
    messages, numbers, templates, tokens, uploads, users, webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Hantar REST API", description = "Send and receive WhatsApp messages.", license(name = "MIT OR Apache-2.0")),
    paths(
        connection::status,
        connection::qr,
        contact_list::list,
        contacts::save,
        contacts::show,
        contacts::change,
        contacts::remove,
        contacts::merge,
        contact_groups::list,
        contact_groups::create,
        contact_groups::show,
        contact_groups::rename,
        contact_groups::remove,
        contact_groups::fill,
        contact_groups::empty,
        contact_erasures::list,
        contact_erasures::create,
        contact_erasures::show,
        numbers::look_up,
        messages::send,
        uploads::create,
        bulk::send,
        message_list::list,
        messages::show,
        messages::cancel,
        campaign_lists::list,
        campaigns::create,
        campaigns::preview,
        campaigns::show,
        campaigns::pause,
        campaigns::resume,
        campaigns::cancel,
        campaign_lists::recipients,
        imports::create,
        imports::show,
        imports::start,
        campaign_exports::begin,
        campaign_exports::show,
        exports::contacts,
        exports::show,
        balance::show,
        account::show,
        account::change,
        consents::list,
        consents::note,
        consents::proof,
        consents::settings,
        consents::decide,
        templates::list,
        templates::create,
        templates::show,
        templates::change,
        templates::remove,
        templates::preview,
        credits::ledger,
        credits::settings,
        credits::change_settings,
        credits::prices,
        credits::checkout,
        credits::invoices,
        billing::stripe,
        webhooks::list,
        webhooks::change,
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
