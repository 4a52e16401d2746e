//! Blocking work in order of arrival, by a bounded number of hands.
//!
//! The hands are the runtime's blocking threads, taken while there is work: whoever waits on the runtime's clock sees that
//! something is under way, and an idle engine holds no thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::EngineError;

/// Pieces of work that wait; whoever comes later waits outside.
const WAITING: usize = 256;

/// Carries out pieces of work `W`.
pub(super) struct Crew<W> {
    shared: Arc<Shared<W>>,
    slots: Semaphore,
}

struct Shared<W> {
    waiting: Mutex<Waiting<W>>,
    /// How many work at a time.
    hands: usize,
    /// How many pieces one hand takes at once.
    together: usize,
    carry_out: Box<dyn Fn(Vec<W>) + Send + Sync>,
}

struct Waiting<W> {
    work: VecDeque<W>,
    busy: usize,
}

/// One hand, at work or about to be.
struct Hand<W> {
    shared: Arc<Shared<W>>,
    gone: bool,
}

impl<W: Send + 'static> Crew<W> {
    /// A crew of `hands`, each of which carries out up to `together` pieces at once. `carry_out` must not panic.
    pub(super) fn new(hands: usize, together: usize, carry_out: impl Fn(Vec<W>) + Send + Sync + 'static) -> Self {
        let waiting = Mutex::new(Waiting { work: VecDeque::new(), busy: 0 });
        let shared = Arc::new(Shared { waiting, hands, together, carry_out: Box::new(carry_out) });
        Self { shared, slots: Semaphore::new(WAITING) }
    }

    /// Has the work done that `make` makes; it tells what came of it. Dropping the future takes nothing back.
    pub(super) async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> W) -> Result<T, EngineError> {
        let _slot = self.slots.acquire().await.map_err(|_| EngineError::Lost)?;
        let (teller, told) = oneshot::channel();
        if self.shared.add(make(teller)) {
            let hand = Hand { shared: self.shared.clone(), gone: false };
            tokio::task::spawn_blocking(move || hand.work());
        }
        told.await.map_err(|_| EngineError::Lost)
    }
}

impl<W> Shared<W> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<W>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work; whether another hand is to be taken for it.
    fn add(&self, work: W) -> bool {
        let mut waiting = self.waiting();
        waiting.work.push_back(work);
        let more = waiting.busy < self.hands;
        waiting.busy += usize::from(more);
        more
    }

    /// The next pieces; none when the hand is to go, and then it counts as gone already.
    fn next(&self) -> Option<Vec<W>> {
        let mut waiting = self.waiting();
        if waiting.work.is_empty() {
            waiting.busy -= 1;
            return None;
        }
        let count = waiting.work.len().min(self.together);
        Some(waiting.work.drain(..count).collect())
    }
}

impl<W> Hand<W> {
    fn work(mut self) {
        while let Some(work) = self.shared.next() {
            (self.shared.carry_out)(work);
        }
        self.gone = true;
    }
}

impl<W> Drop for Hand<W> {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        // The runtime ended before the hand began: nobody will do what waits, and its askers are to know.
        let mut waiting = self.shared.waiting();
        waiting.busy -= 1;
        if waiting.busy == 0 {
            waiting.work.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::future::join_all;

    use super::*;

    type Work = Box<dyn FnOnce() + Send>;

    fn crew(hands: usize, together: usize) -> Crew<Work> {
        Crew::new(hands, together, |work: Vec<Work>| work.into_iter().for_each(|work| work()))
    }

    fn telling<T: Send + 'static>(value: T) -> impl FnOnce(oneshot::Sender<T>) -> Work {
        |teller| Box::new(move || drop(teller.send(value)))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everything_asked_for_is_done_however_often_the_crew_falls_idle_between() {
        let crew = Arc::new(crew(2, 3));
        let askers = (0..8_usize).map(|asker| {
            let crew = crew.clone();
            tokio::spawn(async move {
                for round in 0..500_usize {
                    assert_eq!(crew.ask(telling(asker * round)).await.unwrap(), asker * round);
                }
            })
        });
        for asker in join_all(askers).await {
            asker.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_hands_work_at_a_time_than_there_are() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let crew = crew(2, 1);
        let asked = (0..50).map(|_| {
            let (now, most) = (now.clone(), most.clone());
            crew.ask(move |teller| -> Work {
                Box::new(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    let _ = teller.send(());
                })
            })
        });
        for answer in join_all(asked).await {
            answer.unwrap();
        }
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_waits_for_work_under_way() {
        let crew = crew(1, 1);
        let slow = crew.ask(|teller| -> Work {
            Box::new(move || {
                std::thread::sleep(Duration::from_millis(50));
                let _ = teller.send(());
            })
        });
        tokio::time::timeout(Duration::from_millis(1), slow).await.expect("the clock did not run ahead").unwrap();
    }

    #[test]
    fn a_crew_outlives_the_runtime_that_its_hands_came_from() {
        let crew = Arc::new(crew(1, 1));
        let asked = crew.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let (begun, go) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
        let (say_begun, wait_to_go) = (begun.0, go.1);
        runtime.spawn_blocking(move || {
            let _ = say_begun.send(());
            let _ = wait_to_go.recv();
        });
        begun.1.recv().unwrap();
        let mut waiting = Box::pin(async move { asked.ask(telling(1)).await });
        runtime.block_on(async { assert!(futures::poll!(&mut waiting).is_pending()) });
        runtime.shutdown_background();
        drop(go.0);
        let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // Done at the last moment or not at all, but never waited for in vain.
        assert!(matches!(other.block_on(waiting), Ok(1) | Err(EngineError::Lost)));
        assert_eq!(other.block_on(crew.ask(telling(2))).unwrap(), 2);
    }
}
