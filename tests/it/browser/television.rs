//! A television: a browser that shows the site's page, and the node behind it.

use playmark::{node::Clock, playback::Claims};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Browser, Cinema,
    cinema::{Answer, Way},
};
use crate::{
    patience::until_found,
    serving::{Mint, Node, claims},
};

pub(super) struct Television {
    pub(super) browser: Browser,
    pub(super) cinema: Cinema,
    pub(super) node: Node,
    home: TempDir,
}

impl Television {
    /// One that shows nothing yet.
    pub(super) async fn off() -> Self {
        let (home, node) = Node::alone().await;
        let cinema = Cinema::before(Some(node.address)).await;
        Self { browser: Browser::start().await, cinema, node, home }
    }

    /// One that has played the film until it is there, and whose node knows where it is.
    pub(super) async fn playing(until_ms: u64) -> Self {
        let television = Self::off().await;
        television.play(until_ms).await;
        television.all_taken().await;
        television
    }

    /// One whose session was opened so long ago, and that has been cut off since; it has played the film until it
    /// is there.
    pub(super) async fn cut_off(ago_ms: u64, until_ms: u64) -> Self {
        let television = Self::off().await;
        television.open_as(&claims("film", Clock::wall().minus_ms(ago_ms)));
        television.browser.open(&television.page()).await;
        television.browser.until("window.session?.id").await;
        television.cinema.make(Way::Cut);
        television.browser.play_until(until_ms).await;
        television
    }

    /// Has the next session opened by these claims.
    pub(super) fn open_as(&self, claims: &Claims) {
        self.open_as_with(claims, 1_000);
    }

    /// The same, where reports are asked for so often.
    pub(super) fn open_as_with(&self, claims: &Claims, interval_ms: u64) {
        let body = json!({
            "session": claims.session.to_string(), "token": self.mint().sign(claims),
            "anchor_ms": claims.anchor.as_ms(), "expires_ms": claims.expires.as_ms(),
            "heartbeat_interval_ms": interval_ms, "resume": null,
        });
        self.cinema.answer("/v1/sessions", Answer { status: 201, retry_after_s: None, body });
    }

    /// Signs as the node does.
    pub(super) fn mint(&self) -> Mint {
        Mint::of(self.home.path())
    }

    /// Opens the page, and plays the film until it is there.
    pub(super) async fn play(&self, until_ms: u64) {
        self.browser.play(&self.page(), until_ms).await;
    }

    /// The page that follows the film.
    pub(super) fn page(&self) -> String {
        self.cinema.page("tv", Some("film"), &[])
    }

    /// A page that only sends what others left.
    pub(super) fn other_page(&self) -> String {
        self.cinema.page("tv", None, &[])
    }

    /// Has the page say all that it has to say, and waits until nodes have taken it.
    pub(super) async fn all_taken(&self) {
        self.browser.until("window.playmark && (playmark.waiting === 0 || void playmark.send())").await;
    }

    /// Waits until the node knows the film's place as the outcome of this event.
    pub(super) async fn known_as(&self, event: &str) -> Value {
        self.known(|point| point["event"] == event).await
    }

    /// Waits until the node answers as is wanted.
    pub(super) async fn known(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        until_found(async || {
            let point = self.node.point("film").await;
            is_wanted(&point).then_some(point)
        })
        .await
    }
}
