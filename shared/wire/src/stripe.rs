//! What is said to Stripe and heard from it: checkout sessions (docs.stripe.com/api/checkout/sessions) and the events about
//! them. Of what Stripe sends only what is needed is read; everything else may come and go.

use hantar_domain::order::{Order, Reference};
use hantar_domain::price::{Amount, Currency};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

/// The version of Stripe's API that these shapes are of.
pub const VERSION: &str = "2024-06-20";
/// How long a refusal may be that is shown to the caller, in characters.
const MAX_REFUSAL_CHARS: usize = 300;

/// The form that opens a checkout for an order.
pub fn session_form(order: &Order, email: Option<&str>, success_url: &str, cancel_url: &str) -> String {
    let reference = order.reference().to_string();
    let (currency, minor) = (order.amount.currency.to_string().to_ascii_lowercase(), order.amount.minor.to_string());
    let name = format!("{} message credits", order.credits);
    let mut form = Serializer::new(String::new());
    form.append_pair("mode", "payment")
        .append_pair("client_reference_id", &reference)
        .append_pair("success_url", success_url)
        .append_pair("cancel_url", cancel_url)
        .append_pair("line_items[0][quantity]", "1")
        .append_pair("line_items[0][price_data][currency]", &currency)
        .append_pair("line_items[0][price_data][unit_amount]", &minor)
        .append_pair("line_items[0][price_data][product_data][name]", &name)
        .append_pair("metadata[reference]", &reference)
        .append_pair("payment_intent_data[metadata][reference]", &reference)
        .append_pair("payment_intent_data[description]", &name);
    if let Some(email) = email {
        form.append_pair("customer_email", email);
    }
    form.finish()
}

/// An opened checkout.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct SessionBody {
    /// Its name.
    pub id: String,
    /// Where to pay.
    pub url: String,
}

impl SessionBody {
    /// Reads the answer to [`session_form`]; `None` for what is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalError,
}

#[derive(Deserialize)]
struct RefusalError {
    message: Option<String>,
    code: Option<String>,
}

/// Why Stripe refuses, in its words; `None` for what is no refusal.
pub fn refusal(body: &[u8]) -> Option<String> {
    let RefusalError { message, code } = serde_json::from_slice::<Refusal>(body).ok()?.error;
    message.or(code).map(|text| text.chars().take(MAX_REFUSAL_CHARS).collect())
}

/// What an event says about a checkout of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// It was paid.
    Paid {
        /// The checkout's name.
        session: String,
        /// The payment's name.
        payment: Option<String>,
        /// What was asked for, before taxes and discounts; `None` when that cannot be read.
        amount: Option<Amount>,
    },
    /// The payment was refused.
    Failed,
    /// Nobody paid in time.
    Expired,
    /// It is under way: another event follows.
    Pending,
}

#[derive(Deserialize)]
struct Event {
    r#type: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    object: serde_json::Value,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    client_reference_id: Option<String>,
    payment_status: Option<String>,
    amount_subtotal: Option<i64>,
    currency: Option<String>,
    /// A name, or the whole payment where the endpoint asks for that.
    payment_intent: Option<serde_json::Value>,
}

/// The body is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no event of Stripe's")]
pub struct NotAnEvent;

/// Reads an event. `None` for one that says nothing about a checkout of ours.
pub fn event(body: &[u8]) -> Result<Option<(Reference, SessionEvent)>, NotAnEvent> {
    let event: Event = serde_json::from_slice(body).map_err(|_| NotAnEvent)?;
    let Some(what) = event.r#type.strip_prefix("checkout.session.") else { return Ok(None) };
    let session: Session = serde_json::from_value(event.data.object).map_err(|_| NotAnEvent)?;
    let Some(reference) = session.client_reference_id.as_deref().and_then(Reference::parse) else { return Ok(None) };
    let is_paid = matches!(session.payment_status.as_deref(), Some("paid" | "no_payment_required"));
    let told = match what {
        "completed" | "async_payment_succeeded" if is_paid => paid(session),
        "completed" => SessionEvent::Pending,
        "async_payment_failed" => SessionEvent::Failed,
        "expired" => SessionEvent::Expired,
        _ => return Ok(None),
    };
    Ok(Some((reference, told)))
}

fn paid(session: Session) -> SessionEvent {
    let currency = session.currency.as_deref().and_then(Currency::parse);
    let amount = session.amount_subtotal.zip(currency).map(|(minor, currency)| Amount { minor, currency });
    let name = |payment: &serde_json::Value| payment.as_str().or_else(|| payment["id"].as_str()).map(str::to_owned);
    let payment = session.payment_intent.as_ref().and_then(name);
    SessionEvent::Paid { session: session.id, payment, amount }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::{AccountId, OrderId};
    use hantar_domain::order::OrderState;
    use hantar_domain::time::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    fn order() -> Order {
        Order {
            account: AccountId(7),
            id: OrderId(3),
            nonce: [0x11; 16],
            credits: 1000,
            amount: Amount { minor: 8500, currency: Currency::parse("MYR").unwrap() },
            state: OrderState::Open,
            session: None,
            url: None,
            payment: None,
            created_at: Timestamp(0),
            ended_at: None,
        }
    }

    fn told(kind: &str, session: &Value) -> Result<Option<(Reference, SessionEvent)>, NotAnEvent> {
        event(&serde_json::to_vec(&json!({"id": "evt_1", "type": kind, "data": {"object": session}})).unwrap())
    }

    fn session() -> Value {
        json!({
            "id": "cs_1", "object": "checkout.session", "client_reference_id": order().reference().to_string(),
            "payment_status": "paid", "amount_subtotal": 8500, "amount_total": 9010, "currency": "myr",
            "payment_intent": "pi_1"
        })
    }

    #[test]
    fn a_checkout_is_asked_for_as_stripe_documents_it() {
        let form = session_form(&order(), Some("a+b@example.com"), "https://x.example/ok?a=b", "https://x.example/no");
        let pairs: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("mode"), Some("payment"));
        assert_eq!(value("line_items[0][price_data][currency]"), Some("myr"));
        assert_eq!(value("line_items[0][price_data][unit_amount]"), Some("8500"));
        assert_eq!(value("line_items[0][quantity]"), Some("1"));
        assert_eq!(value("success_url"), Some("https://x.example/ok?a=b"));
        assert_eq!(value("customer_email"), Some("a+b@example.com"));
        assert_eq!(value("client_reference_id").and_then(Reference::parse), Some(order().reference()));
    }

    #[test]
    fn a_paid_checkout_says_what_was_asked_for_and_not_what_was_taxed() {
        let amount = Some(order().amount);
        let expected = SessionEvent::Paid { session: "cs_1".into(), payment: Some("pi_1".into()), amount };
        for kind in ["checkout.session.completed", "checkout.session.async_payment_succeeded"] {
            assert_eq!(told(kind, &session()), Ok(Some((order().reference(), expected.clone()))));
        }
        let mut whole = session();
        whole["payment_intent"] = json!({"id": "pi_1", "object": "payment_intent"});
        assert_eq!(told("checkout.session.completed", &whole), Ok(Some((order().reference(), expected))));
    }

    #[test]
    fn what_is_under_way_is_not_paid_and_what_is_not_ours_says_nothing() {
        let mut unpaid = session();
        unpaid["payment_status"] = "unpaid".into();
        let reference = order().reference();
        for (kind, event) in [
            ("checkout.session.completed", SessionEvent::Pending),
            ("checkout.session.async_payment_failed", SessionEvent::Failed),
            ("checkout.session.expired", SessionEvent::Expired),
        ] {
            assert_eq!(told(kind, &unpaid), Ok(Some((reference, event))), "{kind}");
        }
        let mut foreign = session();
        foreign["client_reference_id"] = Value::Null;
        assert_eq!(told("checkout.session.completed", &foreign), Ok(None));
        assert_eq!(told("invoice.paid", &json!({"anything": 1})), Ok(None));
        assert_eq!(told("checkout.session.completed", &json!([])), Err(NotAnEvent));
        assert_eq!(event(b"{}"), Err(NotAnEvent));
    }

    #[test]
    fn a_refusal_is_told_in_stripes_words_up_to_a_length() {
        let body = json!({"error": {"code": "amount_too_small", "message": "The amount is too small."}});
        assert_eq!(refusal(body.to_string().as_bytes()).as_deref(), Some("The amount is too small."));
        let long = json!({"error": {"message": "x".repeat(1000)}});
        assert_eq!(refusal(long.to_string().as_bytes()).unwrap().len(), MAX_REFUSAL_CHARS);
        assert_eq!(refusal(b"<html>"), None);
    }
}
