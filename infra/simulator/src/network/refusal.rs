//! Why the server refuses a request, in the codes and words clients know.

/// A refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({code})")]
pub struct Refusal {
    /// The code, after HTTP's.
    pub code: u16,
    /// The word beside it.
    pub text: &'static str,
}

impl Refusal {
    pub(crate) const BAD_REQUEST: Self = Self { code: 400, text: "bad-request" };
    pub(crate) const NOT_AUTHORIZED: Self = Self { code: 401, text: "not-authorized" };
    pub(crate) const FORBIDDEN: Self = Self { code: 403, text: "forbidden" };
    pub(crate) const NOT_FOUND: Self = Self { code: 404, text: "item-not-found" };
    pub(crate) const NOT_ACCEPTABLE: Self = Self { code: 406, text: "not-acceptable" };
    pub(crate) const CONFLICT: Self = Self { code: 409, text: "conflict" };
    pub(crate) const GONE: Self = Self { code: 410, text: "gone" };
    pub(crate) const TOO_MANY: Self = Self { code: 419, text: "resource-limit" };
}
