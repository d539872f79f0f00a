//! Whether all regions answer alike, and how long it took them.
//!
//! Two questions are put to every node that runs. Does it hold everything that was written up to a moment? Its
//! vector says so. And does it give the same answer? For each title the strong validator of the resume
//! point, a hash of the whole answer but its token, is the same at every node exactly where the answers are. The second
//! question makes sense only while nobody writes, so whoever asks it holds the writers.

use std::{collections::BTreeMap, fmt, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{lab::Lab, topology::NodeName};

/// How often vectors are looked at: well below what a person calls at once, well above what it costs.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Titles asked about at the same time; more would only queue in front of the nodes.
const QUESTIONS_AT_ONCE: usize = 32;

/// Differences printed; the first few tell what the rest would.
const DIFFERENCES_SHOWN: usize = 5;

/// Per origin, the greatest version held.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Vector(BTreeMap<String, u64>);

/// A viewer's title.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Title {
    /// Who watches.
    pub profile: String,
    /// What.
    pub content: String,
}

/// A title that is not answered alike, and each node's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Which.
    pub title: Title,
    /// The validator each node gave, or why there is none.
    pub answers: BTreeMap<NodeName, String>,
}

/// What a comparison found.
#[derive(Debug)]
pub enum Verdict {
    /// Every node that runs gives the same answers.
    Alike {
        /// How long until every node held what had been written when the question was put.
        after: Duration,
        /// How many titles were compared.
        titles: usize,
        /// By which nodes.
        nodes: Vec<NodeName>,
    },
    /// Some nodes lack what others hold.
    Behind {
        /// How long was waited.
        waited: Duration,
        /// How many origins each node is behind on; all for a node that does not answer.
        behind: BTreeMap<NodeName, usize>,
    },
    /// All hold the same and yet answer differently.
    Different {
        /// How many titles were compared.
        titles: usize,
        /// Those that differ.
        differences: Vec<Difference>,
    },
}

impl Vector {
    /// What the nodes that run hold between them.
    pub async fn of_all(lab: &Lab) -> Self {
        Self::of(lab, |_| true).await
    }

    /// The same without those of a region, or the node, of this name: what is left where they lose their disks.
    pub async fn of_others(lab: &Lab, name: &str) -> Self {
        Self::of(lab, |node| !node.answers_to(name)).await
    }

    async fn of(lab: &Lab, counts: impl Fn(&NodeName) -> bool) -> Self {
        let mut all = Self::default();
        for (_, status) in lab.statuses().await.into_iter().filter(|(node, _)| counts(node)) {
            let held = status.iter().flat_map(|status| &status.vector);
            all.raise(held.map(|held| (held.origin.as_str(), held.version)));
        }
        all
    }

    fn raise<'a>(&mut self, held: impl Iterator<Item = (&'a str, u64)>) {
        for (origin, version) in held {
            let upto = self.0.entry(origin.to_owned()).or_default();
            *upto = version.max(*upto);
        }
    }

    /// On how many origins `other` is behind this.
    fn beyond(&self, other: &Self) -> usize {
        let behind =
            |(origin, version): &(&String, &u64)| other.0.get(*origin).is_none_or(|held| held < version);
        self.0.iter().filter(behind).count()
    }
}

/// Waits until every node that runs holds `target`; says how long that took, or who is behind.
pub async fn until_held(lab: &Lab, target: &Vector, within: Duration) -> Result<Duration, Verdict> {
    let began = Instant::now();
    loop {
        let behind = behind(lab, target).await;
        let waited = began.elapsed();
        if behind.is_empty() {
            return Ok(waited);
        }
        if waited > within {
            return Err(Verdict::Behind { waited, behind });
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn behind(lab: &Lab, target: &Vector) -> BTreeMap<NodeName, usize> {
    let mut behind = BTreeMap::new();
    for (node, status) in lab.statuses().await {
        let mut holds = Vector::default();
        if let Ok(status) = status {
            holds.raise(status.vector.iter().map(|held| (held.origin.as_str(), held.version)));
        }
        let lacks = target.beyond(&holds);
        if lacks > 0 {
            behind.insert(node, lacks);
        }
    }
    behind
}

/// Waits until every node that runs holds all that any of them does, then compares their answers.
///
/// Whoever calls holds the writers. A write that was under way nevertheless (its player gave up on it, the node
/// did not) shows as a difference that passes; one that stays until the time is over is one.
pub async fn compare(lab: &Lab, titles: &[Title], within: Duration) -> Verdict {
    let began = Instant::now();
    loop {
        let target = Vector::of_all(lab).await;
        let left = within.saturating_sub(began.elapsed());
        if let Err(behind) = until_held(lab, &target, left).await {
            return behind;
        }
        let after = began.elapsed();
        let differences = differences(lab, titles).await;
        if differences.is_empty() {
            return Verdict::Alike { after, titles: titles.len(), nodes: lab.running() };
        }
        if began.elapsed() > within {
            return Verdict::Different { titles: titles.len(), differences };
        }
    }
}

async fn differences(lab: &Lab, titles: &[Title]) -> Vec<Difference> {
    let nodes: Vec<_> = lab.running().into_iter().map(|name| (lab.node_url(&name), name)).collect();
    let mut found = Vec::new();
    for titles in titles.chunks(QUESTIONS_AT_ONCE) {
        let mut questions = JoinSet::new();
        for title in titles {
            let (api, nodes, title) = (lab.api().clone(), nodes.clone(), title.clone());
            questions.spawn(async move {
                let mut answers = BTreeMap::new();
                for (url, name) in nodes {
                    let tag = api.resume_point_tag(&url, &title.profile, &title.content).await;
                    let tag = tag.map(|tag| tag.unwrap_or_else(|| "nothing known".to_owned()));
                    answers.insert(name, tag.unwrap_or_else(|error| error.to_string()));
                }
                Difference { title, answers }
            });
        }
        found.extend(questions.join_all().await.into_iter().filter(Difference::is_one));
    }
    found.sort_by(|a, b| a.title.cmp(&b.title));
    found
}

impl Difference {
    fn is_one(&self) -> bool {
        let mut answers = self.answers.values();
        let first = answers.next();
        answers.any(|answer| Some(answer) != first)
    }
}

impl Verdict {
    /// Says whether all answered alike.
    pub fn is_alike(&self) -> bool {
        matches!(self, Self::Alike { .. })
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.profile, self.content)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alike { after, titles, nodes } => {
                let names = nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "all regions answer alike after {} ms ({titles} titles compared at {names})",
                    after.as_millis()
                )
            }
            Self::Behind { waited, behind } => {
                write!(f, "not all regions hold the same after {} ms:", waited.as_millis())?;
                for (node, origins) in behind {
                    write!(f, "\n  {node} is behind on {origins} origins")?;
                }
                Ok(())
            }
            Self::Different { titles, differences } => {
                write!(f, "{} of {titles} titles are not answered alike:", differences.len())?;
                for difference in differences.iter().take(DIFFERENCES_SHOWN) {
                    write!(f, "\n  {}:", difference.title)?;
                    for (node, answer) in &difference.answers {
                        write!(f, " {node} {answer}")?;
                    }
                }
                Ok(())
            }
        }
    }
}
