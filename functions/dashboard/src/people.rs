//! The pages for whoever is not signed in: signing up and in, the second factor, and what letters link to.
//!
//! A link in a letter is opened by previews, too: it only shows a form, and what it is good for happens when that is sent.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use hantar_domain::user::Email;
use hantar_usecases::invite::join;
use hantar_usecases::passwords::{forgot_password, reset_password};
use hantar_usecases::people::{ClientAddress, PeopleError, PeopleParts};
use hantar_usecases::sign_in_by_password::{Given, Shown, SignedIn, Wanted, show_second_factor, sign_in};
use hantar_usecases::sign_up::{SignUp, sign_up, verify_email};
use maud::{Markup, html};
use url::form_urlencoded;

use crate::errors::PageError;
use crate::layout::{self, Frame};
use crate::session::signed_in;
use crate::{DashboardParts, MAX_FORM_BYTES};

type Parts = State<Arc<DashboardParts>>;
type Values = HashMap<String, String>;

/// A field of a form.
struct Field {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
}

const EMAIL: Field = Field { name: "email", label: "E-mail address", kind: "email", autocomplete: "username" };
const PASSWORD: Field =
    Field { name: "password", label: "Password", kind: "password", autocomplete: "current-password" };
const NEW_PASSWORD: Field = Field {
    name: "password",
    label: "New password (10 characters or more)",
    kind: "password",
    autocomplete: "new-password",
};
const CODE: Field =
    Field { name: "code", label: "Code of your app, or a recovery code", kind: "text", autocomplete: "one-time-code" };
const ACCOUNT: Field =
    Field { name: "account", label: "Name of your business", kind: "text", autocomplete: "organization" };

/// A page with one form.
struct Form {
    title: &'static str,
    intro: &'static str,
    action: &'static str,
    fields: &'static [Field],
    button: &'static str,
}

const SIGN_IN: Form =
    Form { title: "Sign in", intro: "", action: "/sign-in", fields: &[EMAIL, PASSWORD], button: "Sign in" };
const SECOND_FACTOR: Form = Form {
    title: "Second factor",
    intro: "Open your authenticator app, and type the code that it shows for Hantar.",
    action: "/second-factor",
    fields: &[CODE],
    button: "Sign in",
};
const SIGN_UP: Form = Form {
    title: "Make an account",
    intro: "You get a letter to confirm your address.",
    action: "/sign-up",
    fields: &[ACCOUNT, EMAIL, NEW_PASSWORD],
    button: "Make an account",
};
const FORGOT: Form = Form {
    title: "Forgot your password?",
    intro: "You get a letter with a link to choose a new one.",
    action: "/forgot-password",
    fields: &[EMAIL],
    button: "Send the letter",
};
const VERIFY: Form = Form {
    title: "Confirm your address",
    intro: "Type the password that you chose. If you do not know it, somebody else made the account: choose a new password \
            instead (“Forgot your password?”), and the account is yours alone.",
    action: "/verify-email",
    fields: &[PASSWORD],
    button: "Confirm",
};
const RESET: Form = Form {
    title: "Choose a new password",
    intro: "Whoever is signed in will be signed out.",
    action: "/reset-password",
    fields: &[NEW_PASSWORD],
    button: "Set the password",
};
const JOIN: Form = Form {
    title: "Accept the invitation",
    intro: "Choose a password to sign in with.",
    action: "/accept-invitation",
    fields: &[NEW_PASSWORD],
    button: "Join",
};

impl Form {
    /// The page. Passwords and codes are never shown again, the rest is.
    fn show(&self, parts: &DashboardParts, values: &Values, wrong: Option<&str>) -> Markup {
        let value =
            |field: &Field| values.get(field.name).filter(|_| matches!(field.kind, "email")).map(String::as_str);
        let content = html! {
            section.wide {
                h2 { (self.title) }
                @if !self.intro.is_empty() { p { (self.intro) } }
                form method="post" action=(self.action) {
                    @if let Some(text) = wrong { p.wrong role="alert" { (text) } }
                    @if let Some(secret) = values.get("secret") { input type="hidden" name="secret" value=(secret); }
                    @for field in self.fields {
                        label for=(field.name) { (field.label) }
                        input id=(field.name) name=(field.name) type=(field.kind) autocomplete=(field.autocomplete) required
                            value=[value(field)];
                    }
                    button type="submit" { (self.button) }
                }
                p.quiet {
                    a href="/sign-in" { "Sign in" } " · " a href="/sign-up" { "Make an account" } " · "
                    a href="/forgot-password" { "Forgot your password?" }
                }
            }
        };
        layout::page(parts, self.title, Frame::default(), &content)
    }

    fn open(&self, parts: &DashboardParts, request: &Request) -> Markup {
        self.show(parts, &query(request), None)
    }

    fn again(&self, parts: &Arc<DashboardParts>, values: &Values, error: PeopleError) -> Response {
        let (status, text) = match error {
            PeopleError::Port(error) => return PageError::from(error).page(parts),
            PeopleError::TooMany { wait } => {
                let minutes = wait.as_secs().div_ceil(60).max(1);
                (StatusCode::TOO_MANY_REQUESTS, format!("That was too often. Wait {minutes} minutes."))
            }
            PeopleError::Credentials => wrong("This address and this password do not belong together."),
            PeopleError::Password => wrong("The password is wrong."),
            PeopleError::Weak(weak) => wrong(&format!("The password {weak}.")),
            PeopleError::Code => wrong("The code is wrong, or was used before."),
            PeopleError::Taken => wrong("This address has an account of its own by now."),
            _ => (StatusCode::GONE, "This link was used before, or is too old. Ask for a new letter.".to_owned()),
        };
        (status, self.show(parts, values, Some(&text))).into_response()
    }
}

fn wrong(text: &str) -> (StatusCode, String) {
    (StatusCode::UNPROCESSABLE_ENTITY, text.to_owned())
}

fn query(request: &Request) -> Values {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// What a form says, and where it comes from.
async fn sent(request: Request) -> Result<(Values, Option<ClientAddress>), PageError> {
    let address = request.extensions().get::<ClientAddress>().cloned();
    let bytes = to_bytes(request.into_body(), MAX_FORM_BYTES).await.map_err(|_| PageError::Form)?;
    Ok((form_urlencoded::parse(&bytes).into_owned().collect(), address))
}

fn with<'a>(parts: &'a DashboardParts, address: Option<&'a ClientAddress>) -> PeopleParts<'a> {
    PeopleParts {
        fleet: &*parts.fleet,
        tenants: &*parts.tenants,
        numbers: &parts.numbers,
        keys: &parts.account_keys,
        mail: &*parts.mail,
        entropy: &*parts.entropy,
        clock: &*parts.clock,
        sleep: &*parts.sleep,
        pages: parts.pages_url.as_deref(),
        address,
    }
}

fn text<'a>(values: &'a Values, name: &str) -> &'a str {
    values.get(name).map_or("", String::as_str)
}

fn email(values: &Values) -> Result<Email, PeopleError> {
    Email::parse(text(values, "email")).map_err(|_| PeopleError::Credentials)
}

/// The page of whoever is not signed in.
pub(crate) fn sign_in_page(parts: &DashboardParts) -> Markup {
    SIGN_IN.show(parts, &Values::new(), None)
}

pub(crate) async fn sign_up_form(State(parts): Parts, request: Request) -> Markup {
    SIGN_UP.open(&parts, &request)
}

pub(crate) async fn forgot_form(State(parts): Parts, request: Request) -> Markup {
    FORGOT.open(&parts, &request)
}

pub(crate) async fn verify_form(State(parts): Parts, request: Request) -> Markup {
    VERIFY.open(&parts, &request)
}

pub(crate) async fn reset_form(State(parts): Parts, request: Request) -> Markup {
    RESET.open(&parts, &request)
}

pub(crate) async fn join_form(State(parts): Parts, request: Request) -> Markup {
    JOIN.open(&parts, &request)
}

/// Tries a password.
pub(crate) async fn enter(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let entered = match email(&values) {
        Ok(email) => sign_in(&with(&parts, address.as_ref()), &email, text(&values, "password"), Wanted::Cookie).await,
        Err(error) => Err(error),
    };
    match entered {
        Ok(entered) => let_in(&parts, entered),
        Err(error) => SIGN_IN.again(&parts, &values, error),
    }
}

/// Tries a second factor. A recovery code is longer than an app's.
pub(crate) async fn second_factor(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let code = text(&values, "code").to_owned();
    let digits = code.chars().filter(char::is_ascii_alphanumeric).count() <= 6;
    let factor = if digits { Shown::Code(code) } else { Shown::Recovery(code) };
    let with = with(&parts, address.as_ref());
    match show_second_factor(&with, text(&values, "secret"), &factor, Wanted::Cookie).await {
        Ok(entered) => let_in(&parts, entered),
        Err(error) => SECOND_FACTOR.again(&parts, &values, error),
    }
}

fn let_in(parts: &Arc<DashboardParts>, entered: SignedIn) -> Response {
    match entered {
        SignedIn::SecondFactor(secret) => {
            let values = Values::from([("secret".to_owned(), secret)]);
            SECOND_FACTOR.show(parts, &values, None).into_response()
        }
        SignedIn::Done(_, Given::Cookie(value)) => signed_in(parts, &value),
        // Only a cookie was asked for.
        SignedIn::Done(_, Given::Token(..)) => PageError::SignedOut.page(parts),
    }
}

/// What became of a form, as a page that says what happens next.
fn said(
    parts: &Arc<DashboardParts>,
    form: &Form,
    values: &Values,
    done: Result<(), PeopleError>,
    text: &str,
) -> Response {
    match done {
        Ok(()) => layout::notice(parts, form.title, text).into_response(),
        Err(error) => form.again(parts, values, error),
    }
}

/// Makes an account.
pub(crate) async fn register(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let account = Some(text(&values, "account").chars().take(255).collect()).filter(|name: &String| !name.is_empty());
    let done = match email(&values) {
        Ok(email) => {
            let new = SignUp { email, password: text(&values, "password").to_owned(), account };
            sign_up(&with(&parts, address.as_ref()), new).await
        }
        Err(error) => Err(error),
    };
    said(&parts, &SIGN_UP, &values, done, "We have sent you a letter. It says what to do next.")
}

/// Sends a letter to set a new password.
pub(crate) async fn forgot(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let done = match email(&values) {
        Ok(email) => forgot_password(&with(&parts, address.as_ref()), &email).await,
        Err(error) => Err(error),
    };
    said(&parts, &FORGOT, &values, done, "If this address has an account, we have sent it a letter.")
}

/// Confirms an address.
pub(crate) async fn verify(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let with = with(&parts, address.as_ref());
    let done = verify_email(&with, text(&values, "secret"), text(&values, "password")).await.map(drop);
    said(&parts, &VERIFY, &values, done, "Your address is confirmed. You can sign in now.")
}

/// Sets a new password.
pub(crate) async fn reset(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let with = with(&parts, address.as_ref());
    let done = reset_password(&with, text(&values, "secret"), text(&values, "password")).await.map(drop);
    said(&parts, &RESET, &values, done, "Your password is set. You can sign in with it now.")
}

/// Joins an account.
pub(crate) async fn accept(State(parts): Parts, request: Request) -> Response {
    let (values, address) = match sent(request).await {
        Ok(sent) => sent,
        Err(error) => return error.page(&parts),
    };
    let done =
        join(&with(&parts, address.as_ref()), text(&values, "secret"), text(&values, "password")).await.map(drop);
    said(&parts, &JOIN, &values, done, "You belong to the account now. Sign in with your address and this password.")
}
