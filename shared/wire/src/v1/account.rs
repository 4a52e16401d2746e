//! The account itself.

use hantar_domain::account::Account;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The body of `PUT account`, with the types of its fields checked and nothing else: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccountRequest {
    /// What its people call it.
    pub name: Option<String>,
    /// The countries that it writes to, by their two letters; the first one is home, for numbers in national spelling.
    pub regions: Option<Vec<String>>,
    /// Its time zone, by its IANA name.
    pub time_zone: Option<String>,
}

impl AccountRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let request = Self {
            name: fields.filled_string("name"),
            regions: fields.strings("regions"),
            time_zone: fields.filled_string("time_zone"),
        };
        (request, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The account as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountBody {
    /// Its number.
    pub id: u64,
    /// What its people call it.
    pub name: String,
    /// The countries that it writes to, home first.
    pub regions: Vec<String>,
    /// Its time zone, by its IANA name.
    pub time_zone: String,
    /// When it was made.
    pub created_at: String,
}

impl AccountBody {
    /// As shown.
    pub fn new(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.clone(),
            regions: account.regions.iter().map(|region| region.code()).collect(),
            time_zone: account.time_zone.name().to_owned(),
            created_at: time::text(account.created_at),
        }
    }
}
