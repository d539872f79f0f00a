//! Commands that a device gave while no node was there.

use serde_json::{Value, json};

use crate::{
    crdt::{Merged, ProfileId},
    http::{
        App, Problem,
        auth::Visitor,
        heartbeats::{self, refused},
        sync::{ASSURANCE, sample},
    },
    playback::{Heartbeat, Order, Refused, What},
};

/// A command, dated by its token as a sample is.
pub(super) enum Command {
    /// A register of its own.
    Order(Order),
    /// A place that the viewer sets: the report of a player that has jumped on purpose, not yet read.
    Place(Value),
}

impl Command {
    pub(super) fn parse(said: &Value) -> Result<Self, Problem> {
        let member = |field| said.get(field).filter(|it| !it.is_null());
        let order = |what| Ok(Self::Order(Order::from_value(said, what)?));
        match (member("watched"), member("dismissed"), member("place")) {
            (Some(Value::Bool(watched)), None, None) => order(What::Watched(*watched)),
            (Some(_), None, None) => {
                Err(Problem::Invalid { field: "watched", fix: "must be true or false".into() })
            }
            (None, Some(Value::Bool(true)), None) => order(What::Dismissed),
            (None, Some(_), None) => {
                let fix = "must be true: a title is back in the row when it is played again";
                Err(Problem::Invalid { field: "dismissed", fix: fix.into() })
            }
            (None, None, Some(Value::Object(place))) => {
                let mut report = place.clone();
                for field in ["token", "content", "session", "seq", "elapsed_ms", "sent_elapsed_ms"] {
                    report.insert(field.into(), said.get(field).cloned().unwrap_or_default());
                }
                report.insert("event".into(), json!("seeked"));
                report.insert("deliberate".into(), json!(true));
                Ok(Self::Place(Value::Object(report)))
            }
            (None, None, Some(_)) => {
                Err(Problem::Invalid { field: "place", fix: "must be an object with `position_ms`".into() })
            }
            _ => {
                let fix = "must be there, or `dismissed`, or `place`; and one of them only";
                Err(Problem::Invalid { field: "watched", fix: fix.into() })
            }
        }
    }
}

/// Carries out one after the other. One that could not be written says so, and the others stand.
pub(super) async fn carry_out(
    app: &App,
    visitor: &Visitor,
    profile: &ProfileId,
    commands: Vec<Result<Command, Problem>>,
) -> Vec<Value> {
    let mut told = Vec::with_capacity(commands.len());
    for command in commands {
        let done = match command {
            Ok(Command::Order(order)) => give(app, profile, &order).await,
            Ok(Command::Place(report)) => match sample(profile, report) {
                Ok(report) => set(app, visitor, report).await,
                Err(problem) => Err(problem),
            },
            Err(problem) => Err(problem),
        };
        told.push(done.unwrap_or_else(|problem| refused(&problem)));
    }
    told
}

async fn give(app: &App, profile: &ProfileId, order: &Order) -> Result<Value, Problem> {
    let now = app.node().now().wall;
    let claims = app.keys().verify(&order.token, now)?;
    if claims.title.profile != *profile {
        return Err(Problem::Refused { why: Refused::NotTheTokens { field: "profile" }, fresh: None });
    }
    let fence = app.node().title(&claims.title)?.shown_to(claims.session).fence;
    let write = order.write(&claims, fence, now, app.policy());
    let Some(write) = write.map_err(|why| Problem::Refused { why, fresh: None })? else {
        return Ok(json!({ "result": "acknowledged" }));
    };
    let written = app.node().write(vec![write], ASSURANCE).await?;
    let outcome = written.outcomes.first().expect("one for each write");
    let result = if outcome.merged == Merged::Changed { "stored" } else { "acknowledged" };
    Ok(match outcome.standing {
        Some(dot) => json!({ "result": result, "dot": dot.to_string() }),
        None => json!({ "result": result }),
    })
}

/// The same as a report of it, by the same path.
async fn set(app: &App, visitor: &Visitor, report: Heartbeat) -> Result<Value, Problem> {
    let (mut told, _) = heartbeats::many(app, visitor, vec![Ok(report)], ASSURANCE).await?;
    Ok(told.results.pop().expect("one for each heartbeat"))
}
