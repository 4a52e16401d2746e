//! Stripe as the payment provider, over the guarded way out.

use async_trait::async_trait;
use hantar_domain::billing::Stripe;
use hantar_domain::egress::Target;
use hantar_domain::webhook::Answer;
use hantar_usecases::ports::{Call, Checkout, Egress, PaymentError, Payments, PortError, Session};
use hantar_wire::stripe::{SessionBody, VERSION, refusal, session_form};

/// Opens checkouts at Stripe.
pub(crate) struct StripePayments<'a> {
    pub(crate) stripe: &'a Stripe,
    pub(crate) egress: &'a dyn Egress,
}

#[async_trait]
impl Payments for StripePayments<'_> {
    async fn open(&self, checkout: &Checkout) -> Result<Session, PaymentError> {
        let Checkout { order, email, success_url, cancel_url } = checkout;
        let email = email.as_ref().map(hantar_domain::user::Email::as_str);
        let mut url = self.stripe.api.url.clone();
        url.set_path(&format!("{}/v1/checkout/sessions", url.path().trim_end_matches('/')));
        let headers = vec![
            ("authorization", format!("Bearer {}", self.stripe.key.text())),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("stripe-version", VERSION.to_owned()),
            // A repeat finds the checkout that the first one opened.
            ("idempotency-key", order.reference().to_string()),
        ];
        let body = session_form(order, email, success_url, cancel_url).into_bytes();
        let answer = self.egress.post(Call { target: Target { url }, headers, body }).await;
        match answer.answer {
            Answer::Status { code: 200..=299, .. } => {
                let opened = SessionBody::read(&answer.body).ok_or_else(|| unavailable("its answer cannot be read"))?;
                Ok(Session { id: opened.id, url: opened.url })
            }
            Answer::Status { code: 400 | 402, .. } => {
                let why = refusal(&answer.body).ok_or_else(|| unavailable("its refusal cannot be read"))?;
                Err(PaymentError::Refused(why))
            }
            Answer::Status { code, .. } => {
                let why = refusal(&answer.body).unwrap_or_default();
                tracing::error!(code, why, "Stripe did not open a checkout");
                Err(unavailable(&format!("it answered {code}")).into())
            }
            Answer::Failure(code) => Err(unavailable(code).into()),
        }
    }
}

fn unavailable(why: &str) -> PortError {
    PortError::Unavailable { what: "payment provider", source: why.into() }
}
