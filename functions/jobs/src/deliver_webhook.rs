//! Calling a subscriber: the only place that posts to a customer.
//!
//! A delivery is claimed before the call and each attempt is stored after it. If the process dies in between, the
//! delivery falls due again and the event is sent a second time, under the same id.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::egress::{AllowList, Target};
use hantar_domain::ids::{AccountId, EndpointId};
use hantar_domain::webhook::{Answer, CALL_TIMEOUT, Endpoint, EventId, Verdict, judge};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::manage_endpoints::open_secret;
use hantar_usecases::ports::{
    Attempt, Call, CallAnswer, Clock, Delivery, DeliveryState, Egress, Entropy, Job, JobQueue, PortError, Queue,
    Tenants,
};

use crate::Decision;

/// How long a claim keeps other workers away: longer than any call takes.
const CLAIM: Duration = Duration::from_secs(2 * CALL_TIMEOUT.as_secs());
/// Up to this long a pause is left to the queue's delay; the sweep rings for longer ones.
const QUEUE_DELAY: Duration = Duration::from_mins(15);
/// There is no such endpoint any more, or it is switched off.
const GONE: &str = "endpoint_gone";
/// The endpoint's secret does not open.
const DAMAGED: &str = "secret_damaged";

/// What delivering needs from outside.
pub struct Deliverer {
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// For the next attempt's doorbell.
    pub queue: Arc<dyn JobQueue>,
    /// The guarded way out.
    pub egress: Arc<dyn Egress>,
    /// Opens endpoints' secrets.
    pub keys: Arc<AccountKeys>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Spreads the pauses.
    pub entropy: Arc<dyn Entropy>,
    /// Addresses that may be called although they are not public.
    pub allowed: AllowList,
}

impl Deliverer {
    /// Makes the attempt that is due, if one is.
    pub async fn deliver(
        &self,
        account: AccountId,
        endpoint: EndpointId,
        event: &EventId,
    ) -> Result<Decision, PortError> {
        let tenant = self.tenants.for_account(account);
        let Some(mut delivery) = tenant.delivery(endpoint, event).await? else { return Ok(Decision::Done) };
        let now = self.clock.now();
        if delivery.state != DeliveryState::Pending || delivery.due_at > now {
            return Ok(Decision::Done);
        }
        if !tenant.claim_delivery(&delivery, now + CLAIM).await? {
            return Ok(Decision::Done);
        }
        delivery.due_at = now + CLAIM;
        let record = tenant.endpoint(endpoint).await?;
        let made = delivery.attempts.len();
        let answer = match &record {
            Some(record) if record.disabled.is_none() => match self.call(record, &delivery).await {
                // It would be as damaged the next time.
                Err(PortError::Corrupt(_)) => not_made(DAMAGED),
                answer => answer?,
            },
            _ => not_made(GONE),
        };
        let verdict = match answer.answer {
            Answer::Failure(GONE | DAMAGED) => Verdict::GiveUp,
            ref answer => judge(answer, u32::try_from(made + 1).unwrap_or(u32::MAX), self.jitter()),
        };
        let attempt = attempt_of(&answer, now);
        let (state, due_at) = match verdict {
            Verdict::Done => (DeliveryState::Delivered, now),
            Verdict::RetryAfter(pause) => (DeliveryState::Pending, self.clock.now() + pause),
            Verdict::Disable | Verdict::GiveUp => (DeliveryState::GivenUp, now),
        };
        if verdict == Verdict::Disable {
            tenant.disable_endpoint(endpoint, "gone").await?;
        }
        if !tenant.record_attempt(&delivery, made, &attempt, state, due_at).await? {
            return Ok(Decision::Done);
        }
        if let Verdict::RetryAfter(pause) = verdict
            && pause <= QUEUE_DELAY
        {
            let job = Job::Delivery { account, endpoint, event: event.clone() };
            // Rounded up: a doorbell that comes before the due time would find nothing to do.
            let delay = Duration::from_secs(pause.as_secs() + 1).min(QUEUE_DELAY);
            self.queue.send(Queue::Webhooks, &[job], delay).await?;
        }
        let damaged = matches!(answer.answer, Answer::Failure(DAMAGED));
        Ok(if damaged { Decision::Park(DAMAGED) } else { Decision::Done })
    }

    async fn call(&self, endpoint: &Endpoint, delivery: &Delivery) -> Result<CallAnswer, PortError> {
        let Ok(target) = Target::parse(&endpoint.url, &self.allowed) else {
            // The operator took the address off the list since.
            return Ok(not_made("refused_address"));
        };
        let secret = open_secret(&self.keys, endpoint).await?;
        let at = self.clock.now();
        let body = delivery.body.clone().into_bytes();
        let headers = vec![
            ("webhook-id", delivery.event.to_string()),
            ("webhook-timestamp", at.seconds().to_string()),
            ("webhook-signature", secret.sign(&delivery.event, at, &body)),
        ];
        Ok(self.egress.post(Call { target, headers, body }).await)
    }

    fn jitter(&self) -> f64 {
        let mut byte = [0; 1];
        self.entropy.fill(&mut byte);
        f64::from(byte[0]) / 256.0
    }
}

/// An attempt that ended before anybody was called.
fn not_made(failure: &'static str) -> CallAnswer {
    CallAnswer { answer: Answer::Failure(failure), excerpt: String::new(), body: Vec::new(), took: Duration::ZERO }
}

fn attempt_of(answer: &CallAnswer, at: hantar_domain::time::Timestamp) -> Attempt {
    let (status, failure) = match &answer.answer {
        Answer::Status { code, .. } => (Some(*code), None),
        Answer::Failure(code) => (None, Some((*code).to_owned())),
    };
    Attempt { at, took: answer.took, status, failure, excerpt: answer.excerpt.clone() }
}
