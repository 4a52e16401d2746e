//! The function behind the schedule.

use std::process::ExitCode;

use hantar_lambda::config::Config;
use hantar_lambda::stack::Stack;
use hantar_lambda::sweep::{Timer, Timers};
use hantar_lambda::{deadline_of, program};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    program::run(Config::parse(|name| std::env::var(name).ok()), |config| config, serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let stack = Stack::new(&config);
    let (sweeper, entropy) = (stack.sweeper(), stack.entropy.clone());
    let timers = &Timers { sweeper, entropy, shards: stack.shards().await? };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Timer>| {
        timers.handle(event.payload, deadline_of(&event.context)).await.map_err(Error::from)
    }))
    .await
}
