//! Patience that costs nothing where there is nothing to wait for.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use tokio::time::timeout;

/// Waits for a future, so long at most; `None` is too long. A timer is made only for one that is not ready
/// at once, and most are.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let at_once = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_once.await {
        Some(output) => Some(output),
        None => Box::pin(timeout(limit, future)).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::task::yield_now;

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
