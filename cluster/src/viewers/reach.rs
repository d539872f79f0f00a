//! Which node a device turns to.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

/// How long a player stays with the region it fled to before it tries its own again.
const AWAY: Duration = Duration::from_secs(10);

/// A node that a device may turn to.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// The index of its region.
    pub(super) region: usize,
    pub(super) url: String,
}

/// Where a device is, and where it fled from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// The index of the region that it connects to.
    pub(super) region: usize,
    fled: Option<(usize, Instant)>,
}

impl Reach {
    pub(super) fn at(region: usize) -> Self {
        Self { region, fled: None }
    }

    /// The nodes in the order this device turns to them: those of its region and then the nearest, of which `nearest` is
    /// the list; where it fled lately, its refuge first.
    pub(super) fn route(&self, nearest: &Arc<[Stop]>) -> Arc<[Stop]> {
        match self.fled {
            Some((refuge, since)) if since.elapsed() < AWAY => {
                let (first, rest): (Vec<_>, _) =
                    nearest.iter().cloned().partition(|stop| stop.region == refuge);
                first.into_iter().chain(rest).collect()
            }
            Some(_) | None => Arc::clone(nearest),
        }
    }

    /// Stays with the region that answered.
    pub(super) fn settle(&mut self, region: usize) {
        if region == self.region {
            self.fled = None;
        } else if self.fled.is_none_or(|(refuge, since)| refuge != region || since.elapsed() >= AWAY) {
            self.fled = Some((region, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refuge_is_asked_first_until_the_own_region_answers_again() {
        let nearest: Arc<[Stop]> = (0..3).map(|region| Stop { region, url: region.to_string() }).collect();
        let regions =
            |reach: &Reach| reach.route(&nearest).iter().map(|stop| stop.region).collect::<Vec<_>>();
        let mut reach = Reach::at(0);
        assert_eq!(regions(&reach), [0, 1, 2]);
        reach.settle(2);
        assert_eq!(regions(&reach), [2, 0, 1]);
        reach.settle(0);
        assert_eq!(regions(&reach), [0, 1, 2]);
    }
}
