//! Patience that costs nothing where there is nothing to wait for.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::{task::yield_now, time::timeout};

/// How often a future is looked at before a timer is made for it. What only lets others go first is ready by
/// then; what waits for something is looked at that much too often.
const GLANCES: usize = 4;

/// Waits for a future, so long at most; `None` is too long. A timer is made only for one that is not ready
/// soon, and most are.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..GLANCES {
        let glance = poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(output) = glance.await {
            return Some(output);
        }
        yield_now().await;
    }
    Box::pin(timeout(limit, future)).await.ok()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_is_ready_what_comes_and_what_does_not() {
        let long = Duration::from_mins(1);
        assert_eq!(within(Duration::ZERO, ready(1)).await, Some(1));
        assert_eq!(
            within(long, async {
                yield_now().await;
                2
            })
            .await,
            Some(2)
        );
        assert_eq!(within(Duration::ZERO, pending::<()>()).await, None);
    }
}
