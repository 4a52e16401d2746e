//! A DynamoDB connector that misbehaves as AWS does and no emulator will: transactions that conflict, throttling,
//! answers that get lost, and delay. It also counts the write units that AWS would bill.
//!
//! It wraps any connector. The requests it passes on are changed (they ask for the consumed capacity), so behind it
//! may be an embedded engine or an emulator, not AWS itself, which checks signatures.

mod conflicts;
mod meter;
mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use serde_json::Value;
use tokio::time::Instant;

use self::conflicts::Conflicts;
use self::meter::Meter;
pub use self::rules::{Calls, FaultPlan, Loss, LostAs, Throttle, ThrottleError, When};
use crate::embedded::answer;

/// A connector with faults, and the handle that changes them while it runs. Clones share everything.
#[derive(Debug, Clone)]
pub struct FaultyClient {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    dice: fastrand::Rng,
    conflicts: Conflicts,
    meter: Meter,
}

/// One request as the faults see it.
#[derive(Debug)]
struct Call {
    operation: String,
    body: Value,
}

/// What the plan says about one request, decided before it is passed on.
#[derive(Debug)]
enum Verdict {
    /// Answer this instead.
    Refuse(u16, String),
    /// Fail without passing it on.
    Drop(LostAs),
    /// Pass it on; then fail if the answer is to be lost.
    Pass(Option<LostAs>),
}

impl FaultyClient {
    /// Wraps a connector. The dice of the plan's probabilities are thrown from `seed`.
    pub fn new(inner: SharedHttpClient, plan: FaultPlan, seed: u64) -> Self {
        let state = State {
            plan,
            dice: fastrand::Rng::with_seed(seed),
            conflicts: Conflicts::default(),
            meter: Meter::default(),
        };
        Self { inner, state: Arc::new(Mutex::new(state)) }
    }

    /// The connector to build SDK clients with.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Puts another plan in place of the current one.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.state().plan = plan;
    }

    /// Changes the current plan in place, as `|plan| plan.losses.push(..)`.
    pub fn change(&self, change: impl FnOnce(&mut FaultPlan)) {
        change(&mut self.state().plan);
    }

    /// The plan as it stands: what was set to happen to the next calls and has happened is counted down.
    pub fn plan(&self) -> FaultPlan {
        self.state().plan.clone()
    }

    /// Write units consumed per table since the start or the last [`reset`](Self::reset), indexes included.
    pub fn write_units(&self) -> BTreeMap<String, f64> {
        self.state().meter.units()
    }

    /// Sets the meter to nothing.
    pub fn reset(&self) {
        self.state().meter = Meter::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn judge(&mut self, call: &Call) -> (Verdict, Duration) {
        let delay = between(&mut self.dice, self.plan.latency.clone());
        if let Some(error) = self.plan.throttled(call, &mut self.dice) {
            return (Verdict::Refuse(400, error.body()), delay);
        }
        let loss = self.plan.lost(call, &mut self.dice);
        if let Some(Loss { executed: false, error, .. }) = loss {
            return (Verdict::Drop(error), delay);
        }
        if let Some(window) = self.plan.conflict_window.clone() {
            let window = between(&mut self.dice, window);
            if let Some(refusal) = self.conflicts.meet(call, &self.plan.keys, now(), window) {
                self.meter.refused(call, &refusal);
                return (Verdict::Refuse(400, refusal), delay);
            }
        }
        (Verdict::Pass(loss.map(|loss| loss.error)), delay)
    }
}

impl HttpClient for FaultyClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, parts);
        SharedHttpConnector::new(FaultyConnector { inner, client: self.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    client: FaultyClient,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, client) = (self.inner.clone(), self.client.clone());
        HttpConnectorFuture::new(async move { client.pass(&inner, request).await })
    }
}

impl FaultyClient {
    async fn pass(
        &self,
        inner: &SharedHttpConnector,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let Some(mut call) = Call::of(&request) else { return inner.call(request).await };
        let (verdict, delay) = self.state().judge(&call);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let lost = match verdict {
            Verdict::Refuse(status, body) => return answer(status, body),
            Verdict::Drop(error) => return Err(error.error()),
            Verdict::Pass(lost) => lost,
        };
        if meter::ask(&mut call) {
            let body = call.body.to_string();
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = body.into();
        }
        let response = inner.call(request).await?;
        if let Some(body) = response.body().bytes() {
            self.state().meter.answered(&call, body);
        }
        lost.map_or(Ok(response), |error| Err(error.error()))
    }
}

impl Call {
    /// `None` for what is no DynamoDB request.
    fn of(request: &HttpRequest) -> Option<Self> {
        let operation = request.headers().get("x-amz-target")?.rsplit('.').next()?.to_owned();
        Some(Self { operation, body: serde_json::from_slice(request.body().bytes()?).ok()? })
    }

    /// A text field of the request.
    fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The actions of a transaction: what kind, and what it says. Empty for other requests.
    fn actions(&self) -> impl Iterator<Item = (&str, &Value)> {
        let actions = self.body.get("TransactItems").and_then(Value::as_array).into_iter().flatten();
        actions.filter_map(|action| action.as_object()?.iter().next()).map(|(kind, action)| (kind.as_str(), action))
    }
}

fn between(dice: &mut fastrand::Rng, range: std::ops::RangeInclusive<Duration>) -> Duration {
    let (low, high) = range.into_inner();
    let spread = high.saturating_sub(low);
    low + spread.mul_f64(dice.f64())
}

/// Tokio's clock, which tests can pause.
#[expect(clippy::disallowed_methods, reason = "the faults stand for AWS, which has a clock of its own")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
