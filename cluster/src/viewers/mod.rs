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

mod calls;
mod figures;
mod film;
mod follow;
mod habits;
mod life;
mod meter;
mod offline;
mod player;
mod reach;
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
};

use tokio::{
    sync::{RwLock, RwLockWriteGuard},
    task::JoinSet,
};

use self::{
    film::Film,
    follow::follow,
    life::Viewer,
    meter::Meter,
    reach::Stop,
    tally::{Last, Tally},
};
use crate::{
    agreement::Title,
    api::{Api, ApiError},
    lab::Lab,
    topology::{RegionName, ViewersSpec},
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
    spec: ViewersSpec,
    // Read by every request, written by whoever needs them all to rest.
    resting: RwLock<()>,
    films: Mutex<BTreeSet<Film>>,
    hand_overs: HandOverCounts,
    tally: Tally,
}

#[derive(Debug)]
struct Region {
    name: RegionName,
    // All nodes in the order in which a device of this region turns to them: its own first, then those of the nearest.
    nearest: Arc<[Stop]>,
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
            spec: spec.clone(),
            resting: RwLock::new(()),
            films: Mutex::default(),
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
        self.audience.films().iter().map(|film| film.title()).collect()
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
        for (film, Last { dot, .. }) in reports.into_iter().step_by(step) {
            let (profile, content) = (film.profile(), film.content());
            let found = self.audience.api.resume_point(node, &profile, &content, Some(&dot)).await?;
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

impl Audience {
    /// Every two regions, in either order.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let all = 0..self.regions.len();
        let pairs = all.clone().flat_map(|from| all.clone().map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to).collect()
    }

    /// Somebody begins to watch a film.
    fn begins(&self, film: Film) {
        self.films().insert(film);
    }

    fn films(&self) -> MutexGuard<'_, BTreeSet<Film>> {
        self.films.lock().expect("nothing panics while it holds the films")
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

impl Region {
    /// The node that serves unless it does not answer.
    fn first(&self) -> &str {
        &self.nearest[0].url
    }
}

fn regions(lab: &Lab) -> Vec<Region> {
    let names: Vec<_> = lab.topology().regions.iter().map(|region| region.name.clone()).collect();
    let nodes = lab.topology().nodes();
    let stops_in = |name: &RegionName| -> Vec<Stop> {
        let Some(region) = names.iter().position(|it| it == name) else { return Vec::new() };
        let of_region = nodes.iter().filter(|node| node.region() == name);
        of_region.map(|node| Stop { region, url: lab.node_url(node) }).collect()
    };
    let region = |name: &RegionName| Region {
        name: name.clone(),
        nearest: lab.topology().nearest(name).iter().flat_map(stops_in).collect(),
        meter: Meter::default(),
    };
    names.iter().map(region).collect()
}
