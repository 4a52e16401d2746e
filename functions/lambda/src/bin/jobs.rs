//! The function behind the queue of jobs. No kind of job exists yet, so all are put aside for a person.

use std::process::ExitCode;

use hantar_lambda::config::Config;
use hantar_lambda::queue::{QueueEvent, UnknownJobs};
use hantar_lambda::stack::Stack;
use hantar_lambda::{deadline_of, program};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    program::run(Config::parse(|name| std::env::var(name).ok()), |config| config, serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let stack = Stack::new(&config.cloud);
    let jobs = &UnknownJobs { queue: stack.queue(), clock: stack.clock.clone() };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<QueueEvent>| {
        Ok::<_, Error>(jobs.handle(&event.payload, deadline_of(&event.context)).await)
    }))
    .await
}
