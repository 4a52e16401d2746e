//! The conformance suite on the embedded engine, on an emulator, and under injected faults.
//!
//! The emulator is named by `HANTAR_EMULATOR_URL`; with `HANTAR_REQUIRE_EMULATOR=1` its absence is a failure.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

mod faults;
mod forgetting;
mod meter;
mod neighbours;
mod streaming;
mod support;

use hantar_store::store_cases;

macro_rules! on_the_embedded_engine {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                hantar_store::conformance::$module::$case(super::support::embedded().await).await;
            })+
        }
    };
}

macro_rules! on_the_emulator {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod emulator {
            $(#[tokio::test]
            async fn $case() {
                let Some(world) = super::support::emulator().await else { return };
                hantar_store::conformance::$module::$case(world).await;
            })+
        }
    };
}

macro_rules! under_faults {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod faulty {
            $(#[tokio::test]
            async fn $case() {
                hantar_store::conformance::$module::$case(super::support::faulty(stringify!($case)).await).await;
            })+
        }
    };
}

store_cases!(on_the_embedded_engine);
store_cases!(on_the_emulator);
store_cases!(under_faults);
