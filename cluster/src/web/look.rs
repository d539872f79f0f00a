//! One look at everything: each node is asked at the same time, and none is waited for that does not answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{task::JoinSet, time::timeout};

use super::picture::{LinePicture, NodePicture};
use crate::{
    api::{Api, NodeStatus},
    lab::{Lab, State},
    topology::{NodeName, Way},
    wan::Weather,
};

/// How long a look waits for an answer. A node on this machine answers in a few milliseconds; one that is held never does, and
/// the picture of all others shall not wait for it.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);

/// What was seen in one look.
#[derive(Debug)]
pub(super) struct Seen {
    /// The wall time.
    pub(super) at_ms: u64,
    /// Every node, in the topology's order.
    pub(super) nodes: Vec<SeenNode>,
    /// Every direction of the WAN.
    pub(super) lines: Vec<LinePicture>,
}

/// What was seen of a node.
#[derive(Debug)]
pub(super) struct SeenNode {
    pub(super) name: NodeName,
    pub(super) url: String,
    pub(super) process: State,
    /// What it said, if it did.
    pub(super) said: Option<Said>,
}

/// What a node said of itself.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: NodeStatus,
    /// The wall time here at which it said so, as well as can be known: half way between question and answer.
    pub(super) at_ms: u64,
    /// As it draws itself, if it does.
    pub(super) own: Option<NodePicture>,
}

/// Looks at a lab.
pub(super) async fn look(lab: &Lab) -> Seen {
    let mut questions = JoinSet::new();
    for (index, (name, process)) in lab.nodes().into_iter().enumerate() {
        let (api, url) = (lab.api().clone(), lab.node_url(&name));
        questions.spawn(async move {
            let runs = matches!(process, State::Running { .. });
            let said = if runs { timeout(ANSWER_WITHIN, ask(&api, &url)).await.ok().flatten() } else { None };
            (index, SeenNode { name, url, process, said })
        });
    }
    let mut nodes = questions.join_all().await;
    nodes.sort_by_key(|(index, _)| *index);
    let nodes = nodes.into_iter().map(|(_, node)| node).collect();
    Seen { at_ms: wall_ms(), nodes, lines: lines(lab) }
}

async fn ask(api: &Api, url: &str) -> Option<Said> {
    let asked_ms = wall_ms();
    let (status, picture) = tokio::join!(api.status(url), api.picture(url));
    let (status, answered_ms) = (status.ok()?, wall_ms());
    let own = picture.ok().and_then(|picture| picture.nodes.into_iter().find(|it| it.name == status.name));
    Some(Said { status, at_ms: asked_ms.midpoint(answered_ms), own })
}

fn lines(lab: &Lab) -> Vec<LinePicture> {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let line = |(way, weather): (Way, Weather)| LinePicture {
        from: way.from.to_string(),
        to: way.to.to_string(),
        cut: weather.cut,
        delay_ms: ms(weather.delay),
        jitter_ms: ms(weather.jitter),
        loss_percent: weather.loss_percent,
        slowed: weather.altered,
    };
    lab.wan().weather().into_iter().map(line).collect()
}

/// The wall time, in milliseconds since the Unix epoch.
pub(super) fn wall_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the console's only look at the wall clock")]
    let now = SystemTime::now();
    // A clock before 1970 is a clock that was never set.
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
