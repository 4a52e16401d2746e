//! The function that counts changes in the stream of the business table.

use std::process::ExitCode;

use hantar_lambda::config::Config;
use hantar_lambda::stack::Stack;
use hantar_lambda::stream::{Act, StreamEvent, StreamReader};
use hantar_lambda::{deadline_of, program};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    program::run(Config::parse(|name| std::env::var(name).ok()), |config| config, serve)
}

async fn serve(config: Config) -> Result<(), Error> {
    let stack = Stack::new(&config);
    let act = Act::Count(stack.counter());
    let reader = &StreamReader { act, queue: stack.queue(), clock: stack.clock.clone() };
    lambda_runtime::run(service_fn(async |event: LambdaEvent<StreamEvent>| {
        Ok::<_, Error>(reader.handle(&event.payload, deadline_of(&event.context)).await)
    }))
    .await
}
