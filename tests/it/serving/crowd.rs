//! Many viewers who report at once, and what each of them was acknowledged.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet, time::Instant};

use super::{Node, Player, anonymous, report};
use crate::patience::within;

/// From one sample to the next: further than a playhead that has not moved.
const STEP_MS: u64 = 5_000;

/// One in so many requests brings the samples of several moments.
const BATCH_ONE_IN: u64 = 4;
const BATCH_BEATS: u64 = 3;

/// One in so many samples is one whose acknowledgement waits for the disk.
const PAUSED_ONE_IN: u64 = 16;

/// A viewer with a title of their own, whose position only rises.
struct Viewer {
    content: String,
    /// The session, of a viewer that has one.
    opened: Option<Value>,
    began: Instant,
    sent: u64,
    acknowledged: u64,
}

/// Viewers who outlive the nodes that they report to.
pub(crate) struct Crowd {
    viewers: Vec<Viewer>,
}

/// Viewers who report until their node is gone.
pub(crate) struct Reporting {
    viewers: JoinSet<Viewer>,
    acknowledged: Arc<Acknowledged>,
}

#[derive(Default)]
struct Acknowledged {
    count: AtomicU64,
    more: Notify,
}

impl Crowd {
    /// Every other of them under a token, the rest without.
    pub(crate) async fn gather(node: &Node, count: usize) -> Self {
        let mut viewers = Vec::new();
        for number in 0..count {
            let content = format!("film/{number}");
            let opened = if number % 2 == 0 { Some(node.open(&content).await) } else { None };
            viewers.push(Viewer { content, opened, began: Instant::now(), sent: 0, acknowledged: 0 });
        }
        Self { viewers }
    }

    /// Lets each report as fast as it is answered, until it is not.
    pub(crate) fn report_to(self, node: &Node) -> Reporting {
        let acknowledged = Arc::new(Acknowledged::default());
        let mut viewers = JoinSet::new();
        for viewer in self.viewers {
            viewers.spawn(viewer.report_to(Player::clone(node), Arc::clone(&acknowledged)));
        }
        Reporting { viewers, acknowledged }
    }

    /// How many samples have been acknowledged, over all viewers.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.viewers.iter().map(|viewer| viewer.acknowledged).sum()
    }

    /// Fails unless each title stands at or after what was last acknowledged, and not beyond what was sent.
    pub(crate) async fn assert_kept(&self, node: &Player) {
        for Viewer { content, sent, acknowledged, .. } in &self.viewers {
            let found = node.position(content).await.unwrap_or_default() / STEP_MS;
            assert!(
                found >= *acknowledged,
                "{content} stands at {found}, and {acknowledged} was acknowledged"
            );
            assert!(found <= *sent, "{content} stands at {found}, and only {sent} were sent");
        }
        assert_eq!(node.status().await["rotten_total"], 0);
    }
}

impl Reporting {
    /// Waits until so many requests have been acknowledged, over all viewers.
    pub(crate) async fn until(&self, enough: u64) {
        within(async {
            while self.acknowledged.count.load(Ordering::Relaxed) < enough {
                self.acknowledged.more.notified().await;
            }
        })
        .await;
    }

    /// Waits until the last of them has given up.
    pub(crate) async fn given_up(self) -> Crowd {
        Crowd { viewers: within(self.viewers.join_all()).await }
    }
}

impl Viewer {
    async fn report_to(mut self, node: Player, acknowledged: Arc<Acknowledged>) -> Self {
        loop {
            let count = if self.sent.is_multiple_of(BATCH_ONE_IN) { BATCH_BEATS } else { 1 };
            let beats: Vec<_> = (1..=count).map(|step| self.sample(self.sent + step).to_string()).collect();
            self.sent += count;
            let answer = node.try_post("/v1/heartbeats", "application/x-ndjson", beats.join("\n")).await;
            if !answer.is_some_and(|answer| answer.status().is_success()) {
                return self;
            }
            self.acknowledged = self.sent;
            acknowledged.count.fetch_add(1, Ordering::Relaxed);
            acknowledged.more.notify_one();
        }
    }

    fn sample(&self, number: u64) -> Value {
        let event = if number.is_multiple_of(PAUSED_ONE_IN) { "paused" } else { "playing" };
        let seq = u32::try_from(number).expect("a small number");
        let Some(opened) = &self.opened else {
            let mut beat = anonymous(&self.content, number * STEP_MS, event);
            beat["seq"] = json!(seq);
            return beat;
        };
        let mut beat = report(opened, seq, number * STEP_MS, event);
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).expect("less than an age");
        beat["elapsed_ms"] = json!(elapsed_ms);
        beat["sent_elapsed_ms"] = json!(elapsed_ms);
        beat
    }
}
