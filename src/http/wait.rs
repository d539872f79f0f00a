//! `Prefer: wait=N`: an answer that waits until there is something new to say (RFC 7240, 4.3).
//!
//! A screen that shows a place asks again and again whether it has changed. It may leave the question
//! open instead: the answer comes when the place changes, or says after so many seconds that it has not.
//! Whoever waits is woken by any commit and looks at its own title, so each waits out a pause between
//! two looks, and there are only so many.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderName};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    crdt::VersionVector,
    http::{App, Problem, auth::Lease},
};

/// The longest wait: what proxies let pass without a word.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// How many requests wait at a time: each holds a connection, and where a process may open the usual
/// thousand files, these leave a third of the connections to others. One more is answered at once, as if
/// it had not asked to wait.
pub const WAITS_MAX: usize = 256;

/// The pause between two looks of one request: with every place taken, a few hundredths of a core at most.
const LOOKS_APART: Duration = Duration::from_millis(100);

/// How soon who waits finds out that the node leaves.
const LEAVES_WITHIN: Duration = Duration::from_millis(500);

/// Says which of the preferences were followed.
pub(super) const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A request that waits; dropped, it leaves its place to another.
pub(super) struct Wait {
    app: App,
    commits: watch::Receiver<VersionVector>,
    asked: Duration,
    until: Instant,
    looked: Instant,
    lease: Lease,
    _permit: OwnedSemaphorePermit,
}

impl Wait {
    /// Lets a request wait that asks to; `None` where it does not, or there is no room.
    ///
    /// What is committed from here on is noticed, so the first look comes after this.
    pub(super) fn begin(app: &App, headers: &HeaderMap, lease: impl FnOnce() -> Lease) -> Option<Self> {
        let asked = asked(headers).filter(|asked| !asked.is_zero())?;
        let permit = Arc::clone(app.waits()).try_acquire_owned().ok()?;
        let mut commits = app.node().commits();
        commits.mark_unchanged();
        let (looked, lease) = (Instant::now(), lease());
        Some(Self { app: app.clone(), commits, asked, until: looked + asked, looked, lease, _permit: permit })
    }

    /// Waits until there may be something new; `false` where the time is over, or the node leaves.
    ///
    /// # Errors
    /// Whoever waits may no more be told.
    pub(super) async fn for_news(&mut self) -> Result<bool, Problem> {
        while self.app.node().is_ready() && !self.left().is_zero() {
            let nap = LEAVES_WITHIN.min(self.left());
            let committed = tokio::select! {
                why = self.lease.ended() => return Err(why),
                committed = timeout(nap, self.commits.changed()) => committed,
            };
            match committed {
                Ok(Ok(())) => {
                    sleep_until(self.until.min(self.looked + LOOKS_APART)).await;
                    self.commits.mark_unchanged();
                    self.looked = Instant::now();
                    return self.lease.check().map(|()| true);
                }
                Ok(Err(_)) => return Ok(false),
                Err(_) => {}
            }
        }
        Ok(false)
    }

    /// What is said of the preference.
    pub(super) fn applied(&self) -> String {
        format!("wait={}", self.asked.as_secs())
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// How long a request asks to wait: the first such preference, and never more than [`WAIT_MAX`].
///
/// A preference that cannot be read is passed over, as all of them may be.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let given = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = given.flat_map(|value| value.split(',')).filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())?
    });
    preferences.next().map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_wait_is_read_among_other_preferences_and_is_bounded() {
        let check = |given: &[&'static str], seconds: Option<u64>| {
            let headers = given.iter().map(|value| (PREFER, HeaderValue::from_static(value)));
            assert_eq!(asked(&headers.collect()), seconds.map(Duration::from_secs), "{given:?}");
        };
        check(&[], None);
        check(&["wait=10"], Some(10));
        check(&["respond-async, Wait = \"7\"; foo=1"], Some(7));
        check(&["return=minimal", "wait=3, wait=9"], Some(3));
        check(&["wait=31"], Some(30));
        check(&["wait=0"], Some(0));
        check(&["wait=-1"], None);
        check(&["wait=soon"], None);
        check(&["waits=5"], None);
        check(&["wait"], None);
    }
}
