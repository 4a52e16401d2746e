//! Work beside the driver, in a task of its own that ends with the driver.
//!
//! A future that nobody polls for a while may hold a place in somebody's queue (a lock of the embedded engine hands
//! itself over in order of arrival), and then everybody waits for it: the driver among them. So nothing is begun in the
//! driver that is not polled to its end.

use std::future::Future;
use std::panic::resume_unwind;

use tokio::task::JoinHandle;

/// A task that is aborted when this is dropped.
pub(super) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    /// Begins.
    pub(super) fn begin(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// Its result, once. A panic goes on in the caller.
    pub(super) async fn result(&mut self) -> T {
        match (&mut self.0).await.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(result) => result,
            Err(Ok(panic)) => resume_unwind(panic),
            // Aborted: the runtime goes down, and with it the caller.
            Err(Err(_)) => std::future::pending().await,
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The result of a task, if there is one; else never.
pub(super) async fn result_of<T: Send + 'static>(task: Option<&mut Task<T>>) -> T {
    match task {
        Some(task) => task.result().await,
        None => std::future::pending().await,
    }
}
