//! The tool itself: what a second terminal orders, and what is left when it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use cluster::lab::{self, Place};
use tokio::{
    process::{Child, Command},
    time::{Instant, interval, timeout},
};

use crate::world::{CLOSE_TOGETHER, PATIENCE};

/// `cluster up` with a few viewers, in a directory of its own.
struct Tool {
    up: Child,
    dir: PathBuf,
    _place: Place,
}

const TOOL: &str = env!("CARGO_BIN_EXE_cluster");

fn command(dir: &Path) -> Command {
    within(Command::new(TOOL), dir)
}

fn within(mut command: Command, dir: &Path) -> Command {
    command.env("PLAYMARK_CLUSTER_DIR", dir).stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Tool {
    async fn start() -> Self {
        Self::start_by(Command::new(TOOL), &[]).await
    }

    /// Starts it by a command that ends in it, with some arguments more.
    async fn start_by(command: Command, more: &[&str]) -> Self {
        let place = Place::scratch().expect("the temporary directory takes another");
        let dir = place.path().join("cluster");
        let topology = place.path().join("topology.toml");
        fs::write(&topology, CLOSE_TOGETHER).expect("it is ours");
        let up = within(command, &dir)
            .arg("up")
            .arg(&topology)
            .args(["--viewers", "12", "--heartbeat-interval-ms", "100"])
            .args(more)
            .arg("--binary")
            .arg(lab::binary().expect("the binary is built"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the tool starts");
        let mut tool = Self { up, dir, _place: place };
        tool.until_it_answers().await;
        tool
    }

    async fn until_it_answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut looks = interval(Duration::from_millis(50));
        while !self.order(&["status"]).await.status.success() {
            assert!(self.up.try_wait().expect("it is our child").is_none(), "it ended by itself");
            assert!(Instant::now() < deadline, "no answer within {PATIENCE:?}");
            looks.tick().await;
        }
    }

    async fn order(&self, words: &[&str]) -> Output {
        command(&self.dir).args(words).output().await.expect("the tool starts")
    }

    /// Gives an order that must succeed; answers what it says.
    async fn ordered(&self, words: &[&str]) -> String {
        let output = self.order(words).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        said
    }

    /// Checks until regions differ, which they do once a viewer has reported; answers what is said then.
    async fn until_not_alike(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let checked = self.order(&["check"]).await;
            let said = String::from_utf8_lossy(&checked.stdout).into_owned();
            if checked.status.code() == Some(1) {
                return said;
            }
            assert!(Instant::now() < deadline, "within {PATIENCE:?} no viewer reported: {said}");
        }
    }

    /// The nodes' process numbers, as `status` names them.
    async fn processes(&self) -> Vec<String> {
        let said = self.ordered(&["status"]).await;
        let number = |line: &str| Some(line.split_once("process ")?.1.to_owned());
        said.lines().filter_map(number).collect()
    }

    /// Ends it, so that nothing writes any more where its directory is being removed.
    async fn end(mut self) {
        self.signal("TERM").await;
        timeout(PATIENCE, self.up.wait()).await.expect("it ends").expect("it is our child");
    }

    async fn signal(&self, signal: &str) {
        let pid = self.up.id().expect("it runs").to_string();
        let sent =
            Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid]).status().await;
        assert!(sent.expect("every system has a shell").success());
    }
}

/// Waits until none of the processes is left.
async fn until_gone(processes: &[String]) {
    assert_eq!(processes.len(), 3);
    let deadline = Instant::now() + PATIENCE;
    let mut looks = interval(Duration::from_millis(20));
    // A process that is dead and not yet collected has no command line any more.
    let runs = |pid: &String| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    while processes.iter().any(runs) {
        assert!(Instant::now() < deadline, "some of {processes:?} are left");
        looks.tick().await;
    }
}

#[tokio::test]
async fn a_cut_is_healed_and_the_tool_says_that_all_regions_answer_alike() {
    let tool = Tool::start().await;
    assert_eq!(tool.ordered(&["cut", "eu", "us", "--one-way"]).await, "cut eu→us\n");
    assert_eq!(tool.ordered(&["cut", "eu", "us"]).await, "cut us→eu\n");
    let said = tool.ordered(&["heal"]).await;
    assert!(said.starts_with("healed eu→us, us→eu\nall regions answer alike after "), "{said}");

    assert_eq!(tool.ordered(&["kill", "ap"]).await, "killed ap-1\n");
    assert_eq!(tool.ordered(&["kill", "ap"]).await, "it is down already\n");
    let said = tool.ordered(&["start", "ap-1"]).await;
    assert!(said.contains("all regions answer alike"), "{said}");
    assert!(tool.ordered(&["check"]).await.contains("all regions answer alike"));

    let refused = tool.order(&["kill", "mars"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("named mars"));
    tool.end().await;
}

#[tokio::test]
async fn a_region_that_is_cut_off_is_found_to_be_behind() {
    let tool = Tool::start().await;
    tool.ordered(&["cut", "eu", "us"]).await;
    tool.ordered(&["cut", "eu", "ap"]).await;
    let said = tool.until_not_alike().await;
    assert!(said.contains("eu-1 is behind") && said.contains("still cut"), "{said}");
    assert!(tool.ordered(&["heal"]).await.contains("all regions answer alike"));
    tool.end().await;
}

#[tokio::test]
async fn lines_are_slowed_and_made_to_lose_and_a_heal_makes_them_what_they_were() {
    let tool = Tool::start().await;
    assert_eq!(tool.ordered(&["slow", "eu", "us", "--delay-ms", "80"]).await, "slowed eu→us, us→eu\n");
    let said = tool.ordered(&["lose", "eu", "ap", "5", "--one-way"]).await;
    assert_eq!(said, "5 of a hundred packets are lost: eu→ap\n");
    let said = tool.ordered(&["heal"]).await;
    assert!(said.starts_with("healed ") && said.contains("eu→ap") && said.contains("us→eu"), "{said}");
    for refused in
        [&["lose", "eu", "us", "101"][..], &["slow", "eu", "us"], &["slow", "eu", "mars", "--delay-ms", "1"]]
    {
        assert_ne!(tool.order(refused).await.status.code(), Some(0), "{refused:?}");
    }
    tool.end().await;
}

#[tokio::test]
async fn nodes_are_held_wiped_skewed_added_and_removed_while_the_others_go_on() {
    let tool = Tool::start().await;
    assert_eq!(tool.ordered(&["pause", "us"]).await, "held us-1\n");
    assert!(tool.ordered(&["status"]).await.contains("held"));
    assert!(tool.ordered(&["start", "us"]).await.contains("all regions answer alike"));
    let said = tool.ordered(&["wipe", "ap"]).await;
    assert!(
        said.starts_with("ready with an empty disk") && said.contains("all regions answer alike"),
        "{said}"
    );
    let said = tool.ordered(&["skew", "ap", "-1500"]).await;
    assert!(said.contains("off by -1500 ms") && said.contains("all regions answer alike"), "{said}");
    let said = tool.ordered(&["add", "eu"]).await;
    assert!(said.contains("eu-2, http://127.0.0.1:") && said.contains("all regions answer alike"), "{said}");
    assert_eq!(tool.ordered(&["remove", "eu-1"]).await, "eu-1 has left and is gone\n");
    assert!(tool.ordered(&["check"]).await.contains("all regions answer alike"));
    let said = tool.ordered(&["report"]).await;
    let file = said.trim().strip_prefix("report: ").expect("it says where it is");
    let page = fs::read_to_string(file).expect("it is there");
    for wanted in
        ["`pause us` | done", "`wipe ap` | done", "`remove eu-1` | done", "all regions answer alike"]
    {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    tool.end().await;
}

/// The kernel's own network, in a namespace in which this user is root and `/run` is empty: nothing on the machine notices.
fn as_root_of_another_network() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs tmpfs /run && ip link set lo up && exec \"$0\" \"$@\"").arg(TOOL);
    command
}

#[tokio::test]
async fn the_kernel_cuts_as_the_relay_does() {
    let tool = Tool::start_by(as_root_of_another_network(), &["--namespaces"]).await;
    assert_eq!(tool.ordered(&["cut", "eu", "us"]).await, "cut eu→us, us→eu\n");
    tool.ordered(&["cut", "eu", "ap"]).await;
    let said = tool.until_not_alike().await;
    assert!(said.contains("eu-1 is behind") && said.contains("still cut"), "{said}");
    let status = tool.ordered(&["status"]).await;
    let cut = status.lines().find(|line| line.starts_with("eu→us")).expect("a line for each direction");
    assert!(
        cut.contains(" passed") && !cut.contains(" 0 passed") && !cut.ends_with(" 0 cut off"),
        "{status}"
    );
    let refused = tool.order(&["slow", "eu", "us", "--delay-ms", "80"]).await;
    assert!(String::from_utf8_lossy(&refused.stdout).contains("start without --namespaces"));
    tool.ordered(&["lose", "us", "ap", "1"]).await;
    assert!(tool.ordered(&["heal"]).await.contains("all regions answer alike"));
    let said = tool.ordered(&["add", "eu"]).await;
    assert!(said.contains("eu-2, http://127.0.0.1:") && said.contains("all regions answer alike"), "{said}");
    tool.end().await;
}

#[tokio::test]
async fn after_chaos_all_regions_answer_alike() {
    let tool = Tool::start().await;
    let said = tool.ordered(&["chaos", "--seed", "3", "--minutes", "0.2"]).await;
    assert!(said.starts_with("chaos of seed 3: ") && said.contains("chaos is over"), "{said}");
    let end = said.rsplit_once("chaos is over").expect("it is over").1;
    assert!(end.contains("all regions answer alike"), "{said}");
    tool.end().await;
}

#[tokio::test]
async fn ctrl_c_ends_it_in_order_and_leaves_no_process() {
    let mut tool = Tool::start().await;
    let processes = tool.processes().await;
    tool.signal("INT").await;
    let ended = timeout(PATIENCE, tool.up.wait()).await.expect("it ends").expect("it is our child");
    assert!(ended.success());
    until_gone(&processes).await;
    let nothing_runs = tool.order(&["heal"]).await;
    assert_eq!(nothing_runs.status.code(), Some(3));
}

#[tokio::test]
async fn when_the_tool_itself_is_killed_its_nodes_end_and_another_can_go_on_with_their_data() {
    let mut tool = Tool::start().await;
    let processes = tool.processes().await;
    tool.signal("KILL").await;
    timeout(PATIENCE, tool.up.wait()).await.expect("it ends").expect("it is our child");
    until_gone(&processes).await;
    let of_viewers =
        |dir: &Path| fs::metadata(dir.join("nodes/eu-1/data/store/IDENTITY")).and_then(|it| it.created());
    let before = of_viewers(&tool.dir).expect("a node has kept something");

    let topology = tool.dir.with_file_name("topology.toml");
    let again = command(&tool.dir).arg("up").arg(topology).arg("--keep").stdout(Stdio::null()).spawn();
    tool.up = again.expect("the tool starts");
    tool.until_it_answers().await;
    assert_eq!(of_viewers(&tool.dir).ok(), Some(before), "it goes on with what was there");
    assert!(tool.ordered(&["check"]).await.contains("all regions answer alike"));
    tool.end().await;
}
