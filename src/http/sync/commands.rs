//! Commands that a device gave while no node was there.

use serde_json::{Value, json};

use crate::{
    crdt::{Merged, ProfileId},
    http::{
        App, Problem,
        auth::Visitor,
        heartbeats::{self, refused},
        sync::{Survived, sample},
    },
    node::Assurance,
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

/// Who carries out the commands of one request.
pub(super) struct Clerk<'a> {
    pub(super) app: &'a App,
    pub(super) visitor: &'a Visitor,
    pub(super) profile: &'a ProfileId,
    pub(super) assurance: Assurance,
}

impl Clerk<'_> {
    /// Carries out one after the other. One that could not be written says so, and the others stand.
    pub(super) async fn carry_out(
        &self,
        commands: Vec<Result<Command, Problem>>,
        survived: &mut Survived,
    ) -> Vec<Value> {
        let mut told = Vec::with_capacity(commands.len());
        for command in commands {
            let done = match command {
                Ok(Command::Order(order)) => self.give(&order, survived).await,
                Ok(Command::Place(report)) => match sample(self.profile, report) {
                    Ok(report) => self.set(report, survived).await,
                    Err(problem) => Err(problem),
                },
                Err(problem) => Err(problem),
            };
            told.push(done.unwrap_or_else(|problem| refused(&problem)));
        }
        told
    }

    async fn give(&self, order: &Order, survived: &mut Survived) -> Result<Value, Problem> {
        let now = self.app.node().now().wall;
        let claims = self.app.tokens().verify(&order.token, now)?;
        if claims.title.profile != *self.profile {
            return Err(Problem::Refused { why: Refused::NotTheTokens { field: "profile" }, fresh: None });
        }
        let fence = self.app.node().title(&claims.title)?.shown_to(claims.session).fence;
        let write = order.write(&claims, fence, now, self.app.policy());
        let Some(write) = write.map_err(|why| Problem::Refused { why, fresh: None })? else {
            return Ok(json!({ "result": "acknowledged" }));
        };
        let written = self.app.node().write(vec![write], self.assurance).await?;
        survived.and(written.assurance);
        let outcome = written.outcomes.first().expect("one for each write");
        let result = if outcome.merged == Merged::Changed { "stored" } else { "acknowledged" };
        Ok(match outcome.standing {
            Some(dot) => json!({ "result": result, "dot": dot.to_string() }),
            None => json!({ "result": result }),
        })
    }

    /// The same as a report of it, by the same path.
    async fn set(&self, report: Heartbeat, survived: &mut Survived) -> Result<Value, Problem> {
        let reports = vec![Ok(report)];
        let (mut told, its) = heartbeats::many(self.app, self.visitor, reports, self.assurance).await?;
        survived.and(its);
        Ok(told.results.pop().expect("one for each heartbeat"))
    }
}
