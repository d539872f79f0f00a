//! `cluster up`: a lab with viewers, a board, and a socket for orders.

mod chaos;
mod orders;
mod report;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, ensure};
use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Mutex,
    time::{Instant, MissedTickBehavior, interval},
};

use self::report::History;
use crate::{
    agreement::{self, Title, Vector, Verdict},
    api,
    board::Board,
    console::Console,
    control::{self, Control, Obey, Order, Outcome, Say},
    lab::{self, Earlier, KILLED, Lab, Place, State},
    topology::Topology,
    viewers::{Figures, Viewers},
    wan::Lines,
    web::{Said, Scene, Web},
};

/// How long regions have to agree after a heal or a start; a node redials within seconds.
const AGREE_WITHIN: Duration = Duration::from_mins(1);

/// The same while another line is cut: enough for the third region to relay, if one can, and no reason to wait for more.
const AGREE_DESPITE_CUTS_WITHIN: Duration = Duration::from_secs(15);

/// How long they have when asked on demand: less, for who asks while a line is cut wants to hear so.
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// How long viewers are held at most while answers are compared.
const HELD_AT_MOST: Duration = Duration::from_secs(10);

/// Titles compared at most, evenly chosen; all of them, for any population that fits on a screen of patience.
const TITLES_COMPARED_MAX: usize = 2_000;

/// Titles of which the last acknowledged report is looked for at rest, at most, evenly chosen.
const LOST_LOOKED_FOR_MAX: usize = 500;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What to start.
#[derive(Clone, Debug, Args)]
pub struct Up {
    /// A file, or the name of a topology that comes with the tool.
    #[arg(default_value = "three-regions")]
    topology: String,
    /// Go on with the data of the cluster that ran before; otherwise it goes.
    #[arg(long)]
    keep: bool,
    /// How many viewers watch, instead of as many as the topology says.
    #[arg(long)]
    viewers: Option<usize>,
    /// How often their players report.
    #[arg(long, value_name = "MS")]
    heartbeat_interval_ms: Option<u64>,
    /// How seldom, at most: each device draws its interval between the two.
    #[arg(long, value_name = "MS")]
    heartbeat_interval_max_ms: Option<u64>,
    /// Real network namespaces and firewall rules instead of the relay, without its delays; needs root.
    #[arg(long)]
    namespaces: bool,
    /// The playmark binary; otherwise the one beside this program.
    #[arg(long, env = "PLAYMARK_BIN")]
    binary: Option<PathBuf>,
}

/// A lab with viewers, and what to do with it.
#[derive(Debug)]
struct Cluster {
    lab: Lab,
    viewers: Viewers,
    console: Console,
    board: Mutex<Board>,
    web: Web,
    topology: String,
    said: Said,
    history: History,
}

/// Runs until it is told to end.
pub async fn run(up: Up) -> Result<ExitCode> {
    let dir = control::state_dir()?;
    ensure!(
        !control::is_running(&dir).await,
        "a cluster runs in {} already: end it, or name another directory with PLAYMARK_CLUSTER_DIR",
        dir.display()
    );
    let mut told_to_end = std::pin::pin!(told_to_end()?);
    let started = tokio::select! {
        started = start(&up, dir) => started?,
        () = &mut told_to_end => return Ok(ExitCode::SUCCESS),
    };
    let control = Control::open(started.lab.dir())?;
    let cluster = Arc::new(started);
    tokio::select! {
        () = control.run(Arc::clone(&cluster)) => {}
        () = cluster.show() => {}
        () = cluster.web.run(Arc::clone(&cluster)) => {}
        () = &mut told_to_end => {}
    }
    drop(control);
    cluster.console.note("ending …");
    cluster.lab.end().await;
    cluster
        .console
        .note(&format!("ended; logs and data stay in {} until the next start", cluster.lab.dir().display()));
    Ok(ExitCode::SUCCESS)
}

/// Resolves at Ctrl-C, SIGTERM, or when the terminal goes away.
fn told_to_end() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

async fn start(up: &Up, dir: PathBuf) -> Result<Cluster> {
    let mut topology = Topology::load(&up.topology)?;
    let viewers = &mut topology.viewers;
    viewers.count = up.viewers.unwrap_or(viewers.count);
    if let Some(ms) = up.heartbeat_interval_ms {
        (viewers.heartbeat_interval_ms, viewers.heartbeat_interval_max_ms) = (ms, None);
    }
    viewers.heartbeat_interval_max_ms = up.heartbeat_interval_max_ms.or(viewers.heartbeat_interval_max_ms);
    viewers.check()?;
    let binary = up.binary.clone().map_or_else(lab::binary, Ok)?;
    let console = Console::stdout();
    console.note(&format!("starting {} nodes in {} …", topology.nodes().len(), dir.display()));
    let place = Place::prepare(dir, if up.keep { Earlier::Stays } else { Earlier::Goes })?;
    let lines = if up.namespaces { Lines::Kernel } else { Lines::Relay };
    // Before the nodes, which answer its page.
    let web = Web::open(place.path()).await?;
    let lab = Lab::start(topology, &binary, place, &web.origins(), lines).await?;
    console.note(&format!("\nconsole: {}", web.url()));
    console.note(&welcome(&lab)?);
    let (viewers, board) = (Viewers::start(&lab), Mutex::new(Board::new()));
    Ok(Cluster {
        lab,
        viewers,
        console,
        board,
        web,
        topology: name_of(&up.topology),
        said: Said::default(),
        history: History::new(),
    })
}

/// A topology's name: its own, or that of its file.
fn name_of(topology: &str) -> String {
    let stem = Path::new(topology).file_stem().and_then(OsStr::to_str);
    stem.unwrap_or(topology).to_owned()
}

/// Where everything is and what to try.
fn welcome(lab: &Lab) -> Result<String> {
    let regions = &lab.topology().regions;
    let (first, last) = (&regions[0].name, &regions[regions.len() - 1].name);
    let (here, there) = (lab.url(first.as_str())?, lab.url(last.as_str())?);
    let place = api::resume_point_url(&there, "me", "some-film");
    let body =
        r#"{"profile":"me","content":"some-film","position_ms":61000,"event":"playing","deliberate":true}"#;
    let mut lines = vec![String::new()];
    for region in regions {
        let url = lab.url(region.name.as_str())?;
        let moved = region.http_port != 0 && !url.ends_with(&format!(":{}", region.http_port));
        let note = if moved { "  (the port it should have had is taken)" } else { "" };
        lines.push(format!("  {:<6} {url}{note}", region.name.as_str()));
    }
    lines.extend([
        String::new(),
        format!("Report a position in {first}, and ask for it in {last}:"),
        format!("  curl -i {here}/v1/heartbeats -H 'content-type: application/json' \\"),
        format!("    -d '{body}'"),
        format!("  curl -s {place}"),
        String::new(),
    ]);
    if first != last {
        lines.extend([
            "From a second terminal:".to_owned(),
            format!("  cluster/cut {first} {last}    cluster/cut {first} {last} --one-way    cluster/heal"),
            format!("  cluster/kill {last}      cluster/start {last}    cluster/status    cluster/check"),
            format!("  cluster/slow {first} {last} --delay-ms 400    cluster/lose {first} {last} 5    cluster/pause {last}"),
            format!("  cluster/wipe {last}      cluster/add {first}      cluster/chaos --minutes 2    cluster/report"),
            String::new(),
        ]);
    }
    lines.push("Ctrl-C ends it.\n".to_owned());
    Ok(lines.join("\n"))
}

impl Cluster {
    /// Keeps the board up to date, for ever, and tells of nodes that end by themselves.
    async fn show(&self) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut known = self.lab.nodes();
        loop {
            ticks.tick().await;
            let board = self.board.lock().await.look(&self.lab, &self.viewers).await;
            self.console.draw(board);
            let states = self.lab.nodes();
            for ((name, state), (_, before)) in states.iter().zip(&known) {
                match state {
                    State::Down { why } if before != state && why != KILLED => {
                        self.console.note(&format!("{name} {why}:\n{}", self.lab.log_tail(name)));
                    }
                    State::Down { .. } | State::Paused { .. } | State::Running { .. } => {}
                }
            }
            known = states;
        }
    }

    fn patience(&self) -> Duration {
        if self.lab.wan().cuts().is_empty() { AGREE_WITHIN } else { AGREE_DESPITE_CUTS_WITHIN }
    }

    /// Waits until every node holds `target`, holds the viewers, and compares all answers. Time counts from `since`.
    async fn agree(&self, target: &Vector, since: Instant, within: Duration, say: &Say) -> Outcome {
        let verdict = self.verdict(target, since, within).await;
        self.say(say, verdict.to_string()).await;
        for (name, state) in self.lab.nodes() {
            if let State::Down { why } = state {
                self.say(say, format!("not asked: {name} ({why})")).await;
            }
        }
        let cuts = self.lab.wan().cuts();
        if !cuts.is_empty() {
            self.say(say, list("still cut:", &cuts, "")).await;
        }
        if verdict.is_alike() { Outcome::Done } else { Outcome::Failed }
    }

    async fn verdict(&self, target: &Vector, since: Instant, within: Duration) -> Verdict {
        if let Err(behind) = agreement::until_held(&self.lab, target, within).await {
            return behind;
        }
        let after = since.elapsed();
        let _held = self.viewers.rest().await;
        match agreement::compare(&self.lab, &self.titles(), HELD_AT_MOST).await {
            // What was apart is what took time; the rest is what was written since.
            Verdict::Alike { titles, nodes, .. } => {
                self.look_for_lost().await;
                Verdict::Alike { after, titles, nodes }
            }
            verdict @ (Verdict::Behind { .. } | Verdict::Different { .. }) => verdict,
        }
    }

    /// With the viewers held and all nodes alike, one node speaks for all.
    async fn look_for_lost(&self) {
        if let Some(node) = self.lab.running().first() {
            // A node that does not answer just now is no loss; the next look tells.
            let _ = self.viewers.count_lost(&self.lab.node_url(node), LOST_LOOKED_FOR_MAX).await;
        }
    }

    fn titles(&self) -> Vec<Title> {
        let titles = self.viewers.titles();
        let step = titles.len().div_ceil(TITLES_COMPARED_MAX).max(1);
        titles.into_iter().step_by(step).collect()
    }

    async fn status(&self) -> Result<Vec<String>> {
        let mut lines = vec![format!("console: {}", self.web.url())];
        for (name, state) in self.lab.nodes() {
            let state = match state {
                State::Running { pid } => format!("process {pid}"),
                State::Paused { pid } => format!("process {pid}, held"),
                State::Down { why } => format!("down: {why}"),
            };
            lines.push(format!("{name}  {}  {state}", self.lab.node_url(&name)));
        }
        for (way, traffic) in self.lab.wan().traffic()? {
            lines.push(format!(
                "{way}  packets: {} passed, {} lost, {} cut off",
                traffic.passed, traffic.dropped, traffic.cut
            ));
        }
        lines.extend(self.console.board());
        lines.extend(self.board.lock().await.complaints());
        lines.extend(self.viewers.hand_overs().last_wrong.map(|wrong| format!("wrong: {wrong}")));
        Ok(lines)
    }

    /// Tells both terminals.
    async fn say(&self, say: &Say, text: String) {
        self.console.note(&text);
        self.said.note(&text);
        self.history.note(&text);
        say.line(text).await;
    }
}

impl Obey for Cluster {
    async fn obey(&self, order: Order, say: &Say) -> Outcome {
        let entry = self.history.begin(&order);
        let outcome = self.obey_one(&order, say).await;
        self.history.end(entry, outcome);
        outcome
    }
}

impl Cluster {
    async fn obey_one(&self, order: &Order, say: &Say) -> Outcome {
        match self.carry_out(order, say).await {
            Ok(outcome) => outcome,
            Err(error) => {
                self.say(say, format!("{error:#}")).await;
                Outcome::Failed
            }
        }
    }
}

impl Scene for Cluster {
    fn lab(&self) -> &Lab {
        &self.lab
    }

    fn topology(&self) -> &str {
        &self.topology
    }

    fn figures(&self) -> Option<Figures> {
        (self.lab.topology().viewers.count > 0).then(|| self.viewers.figures())
    }

    fn said(&self) -> &Said {
        &self.said
    }
}

fn list<T: ToString>(what: &str, items: &[T], if_none: &str) -> String {
    if items.is_empty() {
        return if_none.to_owned();
    }
    let items = items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{what} {items}")
}
