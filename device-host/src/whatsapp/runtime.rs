//! The library's tasks, begun in the order in which it asks for them.
//!
//! Each stanza that somebody listens to is handled in a task of its own, and on several threads a receipt's task may run
//! before that of the acknowledgement that came before it. Everything that a handler tells us, it tells before it waits
//! for anything. So one task polls each new one once, in order; what is not done then goes on by itself.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use wacore::runtime::{AbortHandle, Runtime};
use whatsapp_rust::TokioRuntime;

type Work = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Tokio, with an order.
pub(super) struct InOrder {
    /// Has no bound of its own: what goes in are frames read one by one from a bounded channel, and each is out again
    /// as soon as it was polled once.
    begun: mpsc::UnboundedSender<Work>,
}

impl InOrder {
    /// Needs a Tokio runtime.
    pub(super) fn new() -> Self {
        let (begun, mut received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(work) = received.recv().await {
                begin(work);
            }
        });
        Self { begun }
    }
}

/// Polls once; the rest, if there is one, is polled by a task of its own, which begins with a poll.
fn begin(mut work: Work) {
    let first = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut Context::from_waker(Waker::noop()))));
    match first {
        Ok(poll) if poll.is_pending() => drop(tokio::spawn(work)),
        Ok(_) => {}
        // As in a task: it ends that one, and the others go on.
        Err(_) => tracing::error!("a handler of the WhatsApp library panicked"),
    }
}

#[async_trait]
impl Runtime for InOrder {
    fn spawn(&self, work: Work) -> AbortHandle {
        TokioRuntime.spawn(work)
    }

    fn spawn_detached(&self, work: Work) {
        // Its task lives as long as this does.
        let _ = self.begun.send(work);
    }

    fn sleep(&self, span: Duration) -> Work {
        TokioRuntime.sleep(span)
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) -> Work {
        TokioRuntime.spawn_blocking(work)
    }

    fn yield_now(&self) -> Option<Work> {
        TokioRuntime.yield_now()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn tasks_begin_in_order_and_go_on_by_themselves() {
        let runtime = InOrder::new();
        let begun = Arc::new(Mutex::new(Vec::new()));
        let (ended, mut ends) = mpsc::unbounded_channel();
        for number in 0..500 {
            let (begun, ended) = (Arc::clone(&begun), ended.clone());
            runtime.spawn_detached(Box::pin(async move {
                begun.lock().unwrap().push(number);
                tokio::task::yield_now().await;
                ended.send(number).unwrap();
            }));
        }
        for _ in 0..500 {
            ends.recv().await.unwrap();
        }
        assert_eq!(*begun.lock().unwrap(), (0..500).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_task_only() {
        let runtime = InOrder::new();
        runtime.spawn_detached(Box::pin(async { panic!("on purpose") }));
        let (ended, end) = tokio::sync::oneshot::channel();
        runtime.spawn_detached(Box::pin(async move { ended.send(()).unwrap() }));
        end.await.unwrap();
    }
}
