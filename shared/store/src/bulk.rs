//! Bulks.

use hantar_usecases::ports::Bulks;

use crate::tenant::TenantStore;

impl Bulks for TenantStore {}
