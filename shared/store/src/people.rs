//! People of an account, and what they did.

use hantar_usecases::ports::People;

use crate::tenant::TenantStore;

impl People for TenantStore {}
