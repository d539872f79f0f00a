//! Viewers: a population that watches, pauses, seeks, changes devices and regions, and keeps count of what it was told.
//!
//! Each viewer is alone with its titles, so it knows what the service must answer: the place it last
//! reported and had acknowledged. When it goes on with another device in another region it asks there with the dot of
//! that acknowledgement, and compares. That is the oracle: a wrong answer is one that claims to have seen the
//! report and names another place. An answer that says it is stale (a region that is cut off cannot know) is
//! counted apart; it is honest.
//!
//! Load is open: a player reports when its time has come, whether or not the node is quick. A node that does not answer
//! within the player's patience has failed, and the player turns to the next region with the same report under
//! the same token, which any node understands.

mod figures;
mod life;
mod meter;
mod player;
mod tally;

pub use self::{
    figures::{AckMs, Figures, Quantiles, VisibleMs},
    meter::Seen,
};

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{RwLock, RwLockWriteGuard},
    task::JoinSet,
    time::sleep,
};

use self::{
    life::Viewer,
    meter::Meter,
    tally::{Last, Tally},
};
use crate::{
    agreement::Title,
    api::{Api, ApiError},
    lab::Lab,
    topology::RegionName,
};

/// Viewers watching. They stop when dropped.
#[derive(Debug)]
pub struct Viewers {
    audience: Arc<Audience>,
    _lives: JoinSet<()>,
}

/// What all viewers share.
#[derive(Debug)]
struct Audience {
    api: Api,
    regions: Vec<Region>,
    interval: Duration,
    // Read by every request, written by whoever needs them all to rest.
    resting: RwLock<()>,
    titles: Mutex<BTreeSet<Title>>,
    hand_overs: HandOverCounts,
    tally: Tally,
}

#[derive(Debug)]
struct Region {
    name: RegionName,
    // Of its nodes, the first of which serves unless it does not answer.
    urls: Vec<String>,
    // Indices of all regions as seen from here: itself, then the nearest.
    nearest: Vec<usize>,
    meter: Meter,
}

#[derive(Debug, Default)]
struct HandOverCounts {
    right: AtomicU64,
    stale: AtomicU64,
    wrong: AtomicU64,
    wrong_last: Mutex<Option<String>>,
}

/// How changes from one device and region to another went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOvers {
    /// The answer was the place last acknowledged.
    pub right: u64,
    /// The answer said that it had not seen the last report.
    pub stale: u64,
    /// The answer claimed to have seen it, and named another place.
    pub wrong: u64,
    /// The latest wrong one, in words.
    pub last_wrong: Option<String>,
}

impl Viewers {
    /// Lets the topology's viewers watch, evenly spread over its regions.
    pub fn start(lab: &Lab) -> Self {
        let spec = &lab.topology().viewers;
        let audience = Arc::new(Audience {
            api: lab.api().clone(),
            regions: regions(lab),
            interval: Duration::from_millis(spec.heartbeat_interval_ms),
            resting: RwLock::new(()),
            titles: Mutex::default(),
            hand_overs: HandOverCounts::default(),
            tally: Tally::new(),
        });
        let mut lives = JoinSet::new();
        for number in 0..spec.count {
            lives.spawn(Viewer::new(number, lab.topology().seed, Arc::clone(&audience)).live());
        }
        for (from, to) in audience.pairs() {
            lives.spawn(follow(Arc::clone(&audience), from, to));
        }
        Self { audience, _lives: lives }
    }

    /// Holds all viewers: waits until no request is under way and lets none begin while the guard lives.
    pub async fn rest(&self) -> RwLockWriteGuard<'_, ()> {
        self.audience.resting.write().await
    }

    /// The titles watched so far.
    pub fn titles(&self) -> Vec<Title> {
        self.audience.titles().iter().cloned().collect()
    }

    /// What was seen of each region since the last call.
    pub fn look(&self) -> Vec<(RegionName, Seen)> {
        self.audience.regions.iter().map(|region| (region.name.clone(), region.meter.look())).collect()
    }

    /// What the viewers have seen so far.
    pub fn figures(&self) -> Figures {
        let moves = self.hand_overs();
        let resumes = moves.right + moves.stale + moves.wrong;
        #[expect(clippy::cast_precision_loss, reason = "a share that is shown with two digits")]
        let wrong_percent = (resumes > 0).then(|| moves.wrong as f64 * 100.0 / resumes as f64);
        let (wrong_resumes, stale_resumes) = (moves.wrong, moves.stale);
        Figures { resumes, wrong_resumes, wrong_percent, stale_resumes, ..self.audience.tally.figures() }
    }

    /// Asks a node for what was acknowledged last of each title, up to `max` titles, and takes note of how many of
    /// these reports it does not know of. To be asked at rest, with all viewers held, when all nodes are alike.
    ///
    /// # Errors
    /// The node may not answer.
    pub async fn count_lost(&self, node: &str, max: usize) -> Result<u64, ApiError> {
        let reports = self.audience.tally.last();
        let step = reports.len().div_ceil(max).max(1);
        let mut missing = 0;
        for (title, Last { dot, .. }) in reports.into_iter().step_by(step) {
            let found =
                self.audience.api.resume_point(node, &title.profile, &title.content, Some(&dot)).await?;
            missing += u64::from(found.stale);
        }
        self.audience.tally.lost(missing);
        Ok(missing)
    }

    /// How the changes of device and region went so far.
    pub fn hand_overs(&self) -> HandOvers {
        let counts = &self.audience.hand_overs;
        HandOvers {
            right: counts.right.load(Relaxed),
            stale: counts.stale.load(Relaxed),
            wrong: counts.wrong.load(Relaxed),
            last_wrong: counts.last_wrong().clone(),
        }
    }
}

/// How often a report of one region is looked for in another.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// Follows one report after the other from the region that acknowledged it to another, for ever: that one is asked for an
/// answer that knows the report, and gives it when it does.
async fn follow(audience: Arc<Audience>, from: usize, to: usize) {
    let mut seen = None;
    loop {
        sleep(FOLLOW_EVERY).await;
        let Some((title, last)) =
            audience.tally.newest_of(from).filter(|newest| seen.as_ref() != Some(newest))
        else {
            continue;
        };
        let url = &audience.regions[to].urls[0];
        let found = audience.api.resume_point(url, &title.profile, &title.content, Some(&last.dot)).await;
        // What does not come within a node's own patience says nothing of how long it takes.
        if found.is_ok_and(|found| !found.stale) {
            let [from, to] = [from, to].map(|region| audience.regions[region].name.as_str());
            audience.tally.visible(from, to, last.at.elapsed());
        }
        seen = Some((title, last));
    }
}

impl Audience {
    /// Every two regions, in either order.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.regions.len();
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to).collect()
    }

    fn titles(&self) -> MutexGuard<'_, BTreeSet<Title>> {
        self.titles.lock().expect("nothing panics while it holds the titles")
    }
}

impl HandOverCounts {
    fn wrong(&self, what: String) {
        self.wrong.fetch_add(1, Relaxed);
        *self.last_wrong() = Some(what);
    }

    fn last_wrong(&self) -> MutexGuard<'_, Option<String>> {
        self.wrong_last.lock().expect("nothing panics while it holds the words")
    }
}

fn regions(lab: &Lab) -> Vec<Region> {
    let names: Vec<_> = lab.topology().regions.iter().map(|region| region.name.clone()).collect();
    let nodes = lab.topology().nodes();
    let region = |name: &RegionName| {
        let of_region = nodes.iter().filter(|node| node.region() == name);
        let index = |near: &RegionName| names.iter().position(|name| name == near);
        Region {
            name: name.clone(),
            urls: of_region.map(|node| lab.node_url(node)).collect(),
            nearest: lab.topology().nearest(name).iter().filter_map(index).collect(),
            meter: Meter::default(),
        }
    };
    names.iter().map(region).collect()
}
