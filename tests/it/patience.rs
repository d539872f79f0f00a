//! How long anything may take before a test gives up on it.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Long enough for a busy machine, and waited out only when something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before looking again at what is only there to be looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it happens in time")
}

/// Waits until `found` finds something in what is only there to be looked at.
pub(crate) async fn eventually<T>(mut found: impl FnMut() -> Option<T>) -> T {
    until_found(async || found()).await
}

/// Waits until an answer is the one that is wanted.
pub(crate) async fn until_found<T>(mut found: impl AsyncFnMut() -> Option<T>) -> T {
    within(async {
        loop {
            match found().await {
                Some(found) => return found,
                None => sleep(LOOK_EVERY).await,
            }
        }
    })
    .await
}
