//! The function behind the queue of deliveries.

use std::process::ExitCode;

use hantar_lambda::config::WebhooksConfig;
use hantar_lambda::queue::{QueueEvent, webhooks};
use hantar_lambda::stack::Stack;
use hantar_lambda::{deadline_of, program};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    program::run(WebhooksConfig::parse(|name| std::env::var(name).ok()), |config| &config.common, serve)
}

async fn serve(config: WebhooksConfig) -> Result<(), Error> {
    let deliverer = &Stack::new(&config.common).deliverer(&config)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<QueueEvent>| {
        Ok::<_, Error>(webhooks(deliverer, &event.payload, deadline_of(&event.context)).await)
    }))
    .await
}
