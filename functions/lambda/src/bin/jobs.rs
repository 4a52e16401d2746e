//! The function behind the queue of jobs: steps of long work.

use std::process::ExitCode;

use hantar_lambda::config::Config;
use hantar_lambda::queue::{self, QueueEvent};
use hantar_lambda::stack::Stack;
use hantar_lambda::{deadline_of, program};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    program::run(Config::parse(|name| std::env::var(name).ok()), |config| config, serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let worker = &Stack::new(&config).worker()?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<QueueEvent>| {
        Ok::<_, Error>(queue::work(worker, &event.payload, deadline_of(&event.context)).await)
    }))
    .await
}
