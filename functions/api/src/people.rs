//! What the routes about people share: what they need, and what is wrong in the dialect's words.

use hantar_usecases::people::{ClientAddress, PeopleError, PeopleParts};

use crate::Api;
use crate::body::key_reused;
use crate::errors::ApiError;

/// What the use cases need, for a request from this address.
pub(crate) fn with<'a>(api: &'a Api, address: Option<&'a ClientAddress>) -> PeopleParts<'a> {
    let parts = &api.parts;
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

/// What is wrong, where `model` with this number is what may be missing.
pub(crate) fn refused(api: &Api, error: PeopleError, model: &'static str, id: &str) -> ApiError {
    let conflict = |message, code| ApiError::Conflict { message, code };
    match error {
        PeopleError::Credentials => ApiError::field("email", "These credentials do not match our records."),
        PeopleError::Password => ApiError::field("password", "The password is incorrect."),
        PeopleError::Weak(weak) => ApiError::field("password", format!("The password field {weak}.")),
        PeopleError::Link => ApiError::field("token", "This token is invalid."),
        PeopleError::Code => ApiError::field("code", "The provided two factor authentication code was invalid."),
        PeopleError::TooMany { wait } => {
            ApiError::TooManyAttempts { retry_after: wait, reset: api.parts.clock.now() + wait }
        }
        PeopleError::Missing => ApiError::NotFound { model, id: id.to_owned() },
        PeopleError::Owner => {
            conflict("An account always has one owner. Hand the account over to somebody else first.", "owner_stays")
        }
        PeopleError::Changed => conflict("Somebody else has changed this meanwhile. Look again.", "changed_meanwhile"),
        PeopleError::State => conflict("This is so already, or cannot be so yet.", "not_possible_now"),
        PeopleError::Beyond => {
            ApiError::field("abilities", "The abilities field must not go beyond your own abilities.")
        }
        PeopleError::Taken => ApiError::field("token", "The invited address has an account of its own by now."),
        PeopleError::Full => conflict("The account has as many as it may have. Delete some first.", "too_many"),
        PeopleError::KeyReused => key_reused(),
        PeopleError::Port(error) => error.into(),
    }
}
