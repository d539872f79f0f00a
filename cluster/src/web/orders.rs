//! `POST /lab/orders`: an order by mouse, carried out as one from the second terminal is.
//!
//! The answer is lines of JSON as they are said, and last how it went.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::guard;
use crate::control::{Answer, Obey, Order, Outcome, Say};

/// Orders are given by hand; whoever gives more at once than this is told to come again, with 503.
pub(super) const ORDERS_AT_ONCE: usize = 8;

/// Takes orders. Those under way end when it is dropped.
#[derive(Debug)]
pub(super) struct Desk<O> {
    obeys: Arc<O>,
    under_way: Arc<Mutex<JoinSet<()>>>,
}

impl<O> Clone for Desk<O> {
    fn clone(&self) -> Self {
        Self { obeys: Arc::clone(&self.obeys), under_way: Arc::clone(&self.under_way) }
    }
}

impl<O: Obey> Desk<O> {
    pub(super) fn new(obeys: Arc<O>) -> Self {
        Self { obeys, under_way: Arc::default() }
    }

    /// Begins to carry an order out; nothing where too many are under way. Who hangs up has it carried out and hears no more.
    fn begin(&self, order: Order) -> Option<Hearing> {
        let mut under_way = self.under_way.lock().expect("nothing panics while it holds the orders");
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= ORDERS_AT_ONCE {
            return None;
        }
        let ((say, lines), (tell, ended)) = (Say::open(), oneshot::channel());
        let obeys = Arc::clone(&self.obeys);
        under_way.spawn(async move {
            let outcome = obeys.obey(order, &say).await;
            // Whoever gave the order may be gone.
            let _ = tell.send(outcome);
        });
        Some(Hearing { lines, ended })
    }
}

/// What whoever gave an order hears of it.
struct Hearing {
    lines: mpsc::Receiver<String>,
    ended: oneshot::Receiver<Outcome>,
}

impl Hearing {
    /// The next line; the last one is how it went, and is missing where the order broke off.
    async fn next(&mut self) -> Option<Answer> {
        match self.lines.recv().await {
            Some(line) => Some(Answer::Said(line)),
            None => (&mut self.ended).await.ok().map(Answer::Ended),
        }
    }
}

/// Takes an order.
pub(super) async fn take<O: Obey>(State(desk): State<Desk<O>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = guard::may_order(&headers) {
        return refusal.into_response();
    }
    let order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("no order: {why}\n")).into_response(),
    };
    let Some(hearing) = desk.begin(order) else {
        let why = "too many orders are under way: wait until one has ended\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let lines = unfold(Some(hearing), async |hearing| {
        let mut hearing = hearing?;
        let answer = hearing.next().await?;
        let goes_on = matches!(answer, Answer::Said(_));
        let line = serde_json::to_string(&answer).expect("text becomes JSON") + "\n";
        Some((Ok::<_, Infallible>(line), goes_on.then_some(hearing)))
    });
    let head = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (head, Body::from_stream(lines)).into_response()
}
