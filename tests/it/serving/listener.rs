//! Whoever listens to a stream of events, as a browser does.

use reqwest::{Response, StatusCode, header};
use serde_json::Value;

use super::Player;
use crate::patience::within;

/// A stream, and the cursor that it left off with.
pub(crate) struct Listener {
    answer: Response,
    unread: String,
    /// The last id that was heard, with an event or without.
    pub(crate) cursor: String,
}

/// One event.
pub(crate) struct Heard {
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Heard {
    pub(crate) fn content(&self) -> &str {
        self.data["content"].as_str().unwrap_or_default()
    }

    pub(crate) fn position_ms(&self) -> u64 {
        self.data["position_ms"].as_u64().unwrap_or_default()
    }
}

impl Listener {
    /// Follows Ada from here on; returns once the node has said where that is.
    pub(crate) async fn of(node: &Player, query: &str) -> Self {
        let mut listener = Self::begin(node.get(&format!("/v1/profiles/ada/events{query}")).await).await;
        while listener.cursor.is_empty() && !listener.unread.contains("\n\n") {
            assert!(listener.hear_more().await, "it ended before it said where it begins");
        }
        listener.blocks_without_event();
        listener
    }

    /// Follows Ada from where another stream ended.
    pub(crate) async fn after(node: &Player, cursor: &str) -> Self {
        let mut listener =
            Self::begin(node.get_with("/v1/profiles/ada/events", "Last-Event-ID", cursor).await).await;
        if listener.cursor.is_empty() {
            cursor.clone_into(&mut listener.cursor);
        }
        listener
    }

    async fn begin(answer: Response) -> Self {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut listener = Self { answer, unread: String::new(), cursor: String::new() };
        while listener.unread.is_empty() {
            assert!(listener.hear_more().await, "it ended before it began");
        }
        listener.blocks_without_event();
        listener
    }

    /// Takes what stands before the next event.
    fn blocks_without_event(&mut self) {
        while self.unread.contains("\n\n") && !self.unread.starts_with("event:") {
            self.block();
        }
    }

    /// Waits for the next event; `None` where the stream has come to an orderly end.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        // All in all: a stream on which nothing happens says so from time to time.
        within(self.next_event()).await
    }

    async fn next_event(&mut self) -> Option<Heard> {
        loop {
            if !self.unread.contains("\n\n") {
                if !self.hear_more().await {
                    return None;
                }
                continue;
            }
            if let Some(heard) = self.block() {
                return Some(heard);
            }
        }
    }

    /// Waits for the next event, which must be about this title.
    pub(crate) async fn hear(&mut self, content: &str) -> Heard {
        let heard = self.next().await.expect("the stream goes on");
        assert_eq!((heard.kind.as_str(), heard.content()), ("resume", content), "{}", heard.data);
        heard
    }

    async fn hear_more(&mut self) -> bool {
        let more = within(self.answer.chunk()).await.expect("the stream is not cut");
        let text = more.map(|bytes| String::from_utf8(bytes.to_vec()).expect("it is text"));
        self.unread.push_str(text.as_deref().unwrap_or_default());
        text.is_some()
    }

    /// Takes what stands before the next empty line.
    fn block(&mut self) -> Option<Heard> {
        let (block, rest) = self.unread.split_once("\n\n").expect("a block ends with an empty line");
        let member = |name: &str| {
            let mut lines = block.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(found, value)| (found == name).then(|| value.to_owned()))
        };
        let (kind, data, id) = (member("event"), member("data"), member("id"));
        self.unread = rest.to_owned();
        if let Some(id) = id {
            self.cursor = id;
        }
        Some(Heard { kind: kind?, data: serde_json::from_str(&data?).expect("it is JSON") })
    }
}
