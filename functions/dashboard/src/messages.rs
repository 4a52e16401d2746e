//! The form that sends a message, and the newest messages with their states.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use hantar_domain::device::Device;
use hantar_domain::ids::DeviceId;
use hantar_domain::message::{Direction, Message};
use hantar_domain::phone::PhoneError;
use hantar_domain::reason::explain;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::ports::{Entropy, MessageFilter, Tenant};
use hantar_usecases::send_message::{Draft, Problem, SendError, send_message};
use maud::{Markup, html};
use url::form_urlencoded;

use crate::errors::PageError;
use crate::layout::moment;
use crate::session::{allowed, caller};
use crate::{DashboardParts, MAX_FORM_BYTES, pages};

/// How many messages the start page shows.
const SHOWN: usize = 10;

/// The form as it is filled in, with what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Form {
    phone: String,
    body: String,
    device: String,
    /// Made with the form, so that sending it twice sends one message.
    key: String,
    /// Texts by field; the empty name stands for the whole.
    errors: Vec<(&'static str, String)>,
}

impl Form {
    /// An empty one.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        Self { key: hex::encode(random), ..Self::default() }
    }

    async fn read(body: Body) -> Result<Self, PageError> {
        let bytes = to_bytes(body, MAX_FORM_BYTES).await.map_err(|_| PageError::Form)?;
        let mut values: HashMap<String, String> = form_urlencoded::parse(&bytes).into_owned().collect();
        let mut take = |name: &str| values.remove(name).unwrap_or_default();
        // Browsers send line ends as CR LF, whatever was typed.
        let body = take("body").replace("\r\n", "\n");
        Ok(Self { phone: take("phone"), body, device: take("device"), key: take("key"), errors: vec![] })
    }

    fn draft(&self, caller: &Caller) -> Draft {
        let content = format!("{}\0{}\0{}", self.phone, self.device, self.body);
        let key = (!self.key.is_empty() && self.key.len() <= 64).then(|| format!("page {}", self.key));
        Draft {
            phone: self.phone.clone(),
            body: self.body.clone(),
            sender: Some(caller.user),
            // A number that is none leads to no device, which the draft's check then says.
            device: (!self.device.is_empty()).then(|| DeviceId(self.device.parse().unwrap_or(0))),
            idempotency: key.map(|key| (key, content.into_bytes())),
            ..Draft::default()
        }
    }

    fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }

    /// The form on the page.
    pub(crate) fn show(&self, devices: &[Device]) -> Markup {
        html! {
            form method="post" action="/messages" {
                input type="hidden" name="key" value=(self.key);
                @if let Some(text) = self.error("") { p.wrong role="alert" { (text) } }
                label for="phone" { "To" }
                input #phone name="phone" type="tel" autocomplete="off" required placeholder="0123456789" value=(self.phone)
                    aria-invalid=[self.error("phone").map(|_| "true")] aria-describedby="phone-error";
                (self.explain("phone", "phone-error"))
                label for="body" { "Message" }
                textarea #body name="body" maxlength="4096" required
                    aria-invalid=[self.error("body").map(|_| "true")] aria-describedby="body-error" { (self.body) }
                (self.explain("body", "body-error"))
                @if devices.len() > 1 {
                    label for="device" { "From" }
                    select #device name="device" aria-describedby="device-error" {
                        @for device in devices {
                            option value=(device.id) selected[self.chooses(device)] {
                                (device.name) @if let Some(phone) = &device.phone { " · " (phone) }
                            }
                        }
                    }
                }
                (self.explain("device", "device-error"))
                button type="submit" { "Send" }
            }
        }
    }

    fn chooses(&self, device: &Device) -> bool {
        if self.device.is_empty() { device.is_default } else { self.device == device.id.to_string() }
    }

    fn explain(&self, field: &str, id: &str) -> Markup {
        html! { p.wrong #(id) { @if let Some(text) = self.error(field) { (text) } } }
    }
}

/// Sends what the form says; on a mistake shows the page again with the form as it was.
pub(crate) async fn send(State(parts): State<Arc<DashboardParts>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let caller = match allowed(&parts, &head.headers, "messages:send").await {
        Ok(caller) => caller,
        Err(error) => return error.page(&parts),
    };
    let form = match Form::read(body).await {
        Ok(form) => form,
        Err(error) => return error.page(&parts),
    };
    match accept(&parts, &caller, form).await {
        Ok(None) => Redirect::to("/").into_response(),
        Ok(Some(form)) => match pages::show(&parts, &caller, form).await {
            Ok(page) => (StatusCode::UNPROCESSABLE_ENTITY, page).into_response(),
            Err(error) => error.page(&parts),
        },
        Err(error) => error.page(&parts),
    }
}

/// `None` when the message is on its way; otherwise the form with what is wrong.
async fn accept(parts: &DashboardParts, caller: &Caller, mut form: Form) -> Result<Option<Form>, PageError> {
    let tenant = parts.tenants.for_account(caller.account);
    if form.body.contains('\0') {
        form.errors.push(("body", "The message must not contain a NUL character.".to_owned()));
        return Ok(Some(form));
    }
    let sent = send_message(&*tenant, &parts.numbers, &*parts.clock, caller.account, form.draft(caller)).await;
    form.errors = match sent {
        Ok(_) => return Ok(None),
        Err(SendError::Unverified) => vec![("", "Verify your e-mail address before you send.".to_owned())],
        Err(SendError::Invalid(found)) => found.into_iter().map(|found| (found.field, words(&found.problem))).collect(),
        Err(SendError::Credits { required, balance }) => {
            vec![("", format!("There are not enough credits: it costs {required}, and {balance} are left."))]
        }
        Err(SendError::KeyReused) => {
            vec![("", "This form was sent before, with another text. Check, and send again.".to_owned())]
        }
        Err(SendError::Port(error)) => return Err(error.into()),
    };
    // A corrected form is another request.
    form.key = Form::new(&*parts.entropy).key;
    Ok(Some(form))
}

fn words(problem: &Problem) -> String {
    match problem {
        Problem::Required => "Fill this in.".to_owned(),
        Problem::TooLong(most) => format!("At most {most} characters."),
        Problem::Phone { adjective, error: PhoneError::Invalid } => {
            format!("Not a valid {adjective} phone number. Write it like 0123456789 or +60123456789.")
        }
        Problem::Phone { error: PhoneError::OtherRegion, .. } => {
            "A number of a country that this account does not send to.".to_owned()
        }
        Problem::OptedOut => "Whoever has this number asked not to be written to.".to_owned(),
        Problem::NoDevice => "There is no such device.".to_owned(),
        Problem::NoTemplate | Problem::Prohibited(_) => "There is no such template.".to_owned(),
        Problem::TooFarAhead => "That is too far ahead.".to_owned(),
        Problem::Address(_) | Problem::NoUpload | Problem::KeptUntil(_) | Problem::TextWithSound => {
            "This file cannot be sent.".to_owned()
        }
    }
}

/// The newest messages.
pub(crate) async fn newest(tenant: &dyn Tenant) -> Result<Vec<Message>, PageError> {
    Ok(tenant.list_messages(&MessageFilter::default(), None, SHOWN).await?.messages)
}

/// The newest messages, as the start page shows them and refreshes them.
pub(crate) fn list(messages: &[Message]) -> Markup {
    html! {
        @if messages.is_empty() { p.quiet { "No messages yet." } }
        ol.messages {
            @for message in messages {
                li {
                    p { (message.body) }
                    div.quiet {
                        @if message.direction == Direction::Inbound { "From " } @else { "To " }
                        (other_side(message)) " · "
                        @if message.direction == Direction::Inbound { "received" } @else { span.status { (message.state) } }
                        " · " (moment(message.updated_at))
                    }
                    @if let Some(code) = message.reason() { div.wrong { (explain(code)) } }
                }
            }
        }
    }
}

fn other_side(message: &Message) -> String {
    let phone = message.phone.as_ref().map(ToString::to_string);
    phone.or_else(|| message.name.clone()).unwrap_or_else(|| "a hidden number".to_owned())
}

/// The messages alone.
pub(crate) async fn fragment(State(parts): State<Arc<DashboardParts>>, headers: HeaderMap) -> Response {
    match shown(&parts, &headers).await {
        Ok(markup) => markup.into_response(),
        Err(error) => error.page(&parts),
    }
}

async fn shown(parts: &DashboardParts, headers: &HeaderMap) -> Result<Markup, PageError> {
    let caller = caller(parts, headers).await?;
    Ok(list(&newest(&*parts.tenants.for_account(caller.account)).await?))
}
