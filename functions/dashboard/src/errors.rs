//! What goes wrong behind a page, as a person is told.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hantar_usecases::ports::PortError;

use crate::DashboardParts;
use crate::layout;

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// Sign in first.
    #[error("nobody is signed in")]
    SignedOut,
    /// The person's role does not let them.
    #[error("the role does not allow it")]
    Forbidden,
    /// There is no such thing.
    #[error("no such page")]
    Missing,
    /// The form cannot be read.
    #[error("the form cannot be read")]
    Form,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl PageError {
    /// The page that says so.
    pub(crate) fn page(self, parts: &Arc<DashboardParts>) -> Response {
        match self {
            Self::SignedOut => (StatusCode::UNAUTHORIZED, layout::signed_out(parts)).into_response(),
            Self::Forbidden => {
                let text = "Your role does not let you do this. Ask an administrator of the account.";
                (StatusCode::FORBIDDEN, layout::notice(parts, "Not allowed", text)).into_response()
            }
            Self::Missing => {
                let text = "There is nothing at this address.";
                (StatusCode::NOT_FOUND, layout::notice(parts, "Not found", text)).into_response()
            }
            Self::Form => {
                let text = "The form could not be read. Go back to the start page and try again.";
                (StatusCode::BAD_REQUEST, layout::notice(parts, "Not understood", text)).into_response()
            }
            Self::Port(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a page failed");
                let text = "Something needed for this page is busy or not available. Try again in a moment.";
                (StatusCode::SERVICE_UNAVAILABLE, layout::notice(parts, "Try again", text)).into_response()
            }
        }
    }
}
