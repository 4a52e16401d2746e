//! Movements of credits.

use hantar_usecases::ports::Ledger;

use crate::tenant::TenantStore;

impl Ledger for TenantStore {}
