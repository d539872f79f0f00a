//! How long a report takes from one region to another.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::Audience;

/// How often a report of one region is looked for in another.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// Follows one report after the other from the region that acknowledged it to another, for ever: that one is asked for an
/// answer that knows the report, and gives it when it does.
pub(super) async fn follow(audience: Arc<Audience>, from: usize, to: usize) {
    let mut seen = None;
    loop {
        sleep(FOLLOW_EVERY).await;
        let Some((film, last)) =
            audience.tally.newest_of(from).filter(|newest| seen.as_ref() != Some(newest))
        else {
            continue;
        };
        let url = audience.regions[to].first();
        let found = audience.api.resume_point(url, &film.profile(), &film.content(), Some(&last.dot)).await;
        // What does not come within a node's own patience says nothing of how long it takes.
        if found.is_ok_and(|found| !found.stale) {
            let [from, to] = [from, to].map(|region| audience.regions[region].name.as_str());
            audience.tally.visible(from, to, last.at.elapsed());
        }
        seen = Some((film, last));
    }
}
