//! Credits: what there is, how it moved, and how more are bought.

use hantar_domain::credits::Balance;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::order::{Order, OrderState};
use hantar_domain::price::{MAX_PURCHASE, PriceList};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The highest threshold.
const MAX_THRESHOLD: u64 = 1_000_000_000;

/// What `GET balance` answers: balance = granted − charged + refunded.
#[derive(Debug, Serialize, ToSchema)]
pub struct BalanceBody {
    /// What may still be spent.
    pub balance: i64,
    /// All that was ever put in.
    pub granted: i64,
    /// All that was ever charged.
    pub charged: i64,
    /// All that was ever given back.
    pub refunded: i64,
    /// `off` where messages cost nothing; absent elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<&'static str>,
}

impl BalanceBody {
    /// The balance of an account in an installation that charges, or does not.
    pub fn new(balance: Balance, charges: bool) -> Self {
        let Balance { available, granted, charged, refunded } = balance;
        Self { balance: available, granted, charged, refunded, billing: (!charges).then_some("off") }
    }
}

/// One movement of credits.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovementBody {
    /// When.
    pub at: String,
    /// Why: `opening`, `grant`, `purchase`, `campaign_hold`, `campaign_release`, `message` or `refund`.
    pub kind: &'static str,
    /// How many credits came in; those that went out are below zero.
    pub credits: i64,
    /// The message that was paid or given back.
    pub message_id: Option<u64>,
    /// The campaign that credits were set aside for.
    pub campaign_id: Option<u64>,
    /// The purchase, as in `GET credits/invoices`.
    pub invoice_id: Option<u64>,
    /// The name under which the administrator put credits in.
    pub reference: Option<String>,
}

impl MovementBody {
    /// As shown.
    pub fn new(movement: &Movement) -> Self {
        let cause = &movement.cause;
        let mut body = Self {
            at: time::text(movement.at),
            kind: cause.word(),
            credits: movement.credits,
            message_id: None,
            campaign_id: None,
            invoice_id: None,
            reference: None,
        };
        match cause {
            Cause::Opening => {}
            Cause::Grant(name) => body.reference = Some(name.clone()),
            Cause::Purchase(id) => body.invoice_id = Some(id.0),
            Cause::CampaignHold(id) | Cause::CampaignRelease(id) => body.campaign_id = Some(id.0),
            Cause::Message(id) | Cause::Refund(id) => body.message_id = Some(id.0),
        }
        body
    }
}

/// The body of `PUT credits/settings`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SettingsRequest {
    /// Below this balance the account's people are told, once; null or 0 for never.
    pub low_balance: Option<u64>,
}

impl SettingsRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        if !values.contains_key("low_balance") {
            fields.wrong("low_balance", "must be present");
        }
        let low_balance = fields.number_within("low_balance", 0, MAX_THRESHOLD);
        (Self { low_balance }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The threshold; 0 for none.
    pub fn threshold(&self) -> i64 {
        self.low_balance.and_then(|number| i64::try_from(number).ok()).unwrap_or(0)
    }
}

/// What `credits/settings` answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingsBody {
    /// Below this balance the account's people are told, once; null for never.
    pub low_balance: Option<i64>,
}

impl SettingsBody {
    /// As shown.
    pub fn new(threshold: i64) -> Self {
        Self { low_balance: (threshold > 0).then_some(threshold) }
    }
}

/// The body of `POST credits/checkout`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckoutRequest {
    /// How many credits.
    pub credits: u64,
    /// Where the payer is led after paying.
    pub success_url: Option<String>,
    /// Where the payer is led instead.
    pub cancel_url: Option<String>,
}

impl CheckoutRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let credits = fields.required_number("credits").unwrap_or_default();
        let (success_url, cancel_url) = (fields.string("success_url"), fields.string("cancel_url"));
        (Self { credits, success_url, cancel_url }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A purchase of credits.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceBody {
    /// Its number.
    pub id: u64,
    /// How many credits.
    pub credits: i64,
    /// What they cost, in the currency's minor unit (sen, cents).
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// `open`, `paid`, `failed` or `expired`.
    pub status: &'static str,
    /// Where to pay, while it is open.
    pub url: Option<String>,
    /// The payment provider's name of the payment.
    pub payment: Option<String>,
    /// When it was ordered.
    pub created_at: String,
    /// When it was paid.
    pub paid_at: Option<String>,
}

impl InvoiceBody {
    /// As shown.
    pub fn new(order: &Order) -> Self {
        let paid_at = order.ended_at.filter(|_| order.state == OrderState::Paid);
        Self {
            id: order.id.0,
            credits: order.credits,
            amount: order.amount.minor,
            currency: order.amount.currency.to_string(),
            status: order.state.word(),
            url: order.url.clone().filter(|_| order.state == OrderState::Open),
            payment: order.payment.clone(),
            created_at: time::text(order.created_at),
            paid_at: paid_at.map(time::text),
        }
    }
}

/// What credits cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct PricesBody {
    /// In which currency.
    pub currency: String,
    /// The fewest that are sold at a time.
    pub minimum: i64,
    /// The most.
    pub maximum: i64,
    /// The price of each credit, by how many are bought.
    pub tiers: Vec<TierBody>,
}

/// From so many on, each costs this.
#[derive(Debug, Serialize, ToSchema)]
pub struct TierBody {
    /// How many must be bought at least.
    pub from: i64,
    /// What each of all of them costs then, in the currency's minor unit, with up to two decimals.
    pub unit_price: String,
}

impl PricesBody {
    /// As shown.
    pub fn new(prices: &PriceList) -> Self {
        let tier = |tier: &hantar_domain::price::Tier| TierBody { from: tier.from, unit_price: tier.unit.to_string() };
        Self {
            currency: prices.currency().to_string(),
            minimum: prices.least(),
            maximum: MAX_PURCHASE,
            tiers: prices.tiers().iter().map(tier).collect(),
        }
    }
}
