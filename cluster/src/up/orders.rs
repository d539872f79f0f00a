//! How each order is carried out.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;

use super::{CHECK_WITHIN, Cluster, list};
use crate::{
    agreement::Vector,
    control::{Order, Outcome, Say},
    lab::Ways,
    wan::Change,
};

const fn ways(one_way: bool) -> Ways {
    if one_way { Ways::OneWay } else { Ways::Both }
}

impl Cluster {
    pub(super) async fn carry_out(&self, order: &Order, say: &Say) -> Result<Outcome> {
        match order {
            Order::Cut { from, to, one_way } => {
                let cut = self.lab.cut(from, to, ways(*one_way))?;
                self.done(say, list("cut", &cut, "it is cut already")).await
            }
            Order::Slow { from, to, delay_ms, rate_mbit, one_way } => {
                let change = slower(*delay_ms, *rate_mbit)?;
                let slowed = self.lab.alter(from, to, ways(*one_way), change)?;
                self.done(say, list("slowed", &slowed, "")).await
            }
            Order::Lose { from, to, percent, one_way } => {
                ensure!((0.0..=100.0).contains(percent), "PERCENT must lie between 0 and 100");
                let change = Change { loss_percent: Some(*percent), ..Change::default() };
                let lossy = self.lab.alter(from, to, ways(*one_way), change)?;
                self.done(say, list(&format!("{percent} of a hundred packets are lost:"), &lossy, "")).await
            }
            Order::Heal { from, to } => {
                let before = Vector::of_all(&self.lab).await;
                let healed = match (from, to) {
                    (Some(from), Some(to)) => self.lab.heal(from, to)?,
                    (_, _) => self.lab.heal_all()?,
                };
                let since = Instant::now();
                self.say(say, list("healed", &healed, "nothing was cut")).await;
                Ok(self.agree(&before, since, self.patience(), say).await)
            }
            Order::Status => self.tell_status(say).await,
            Order::Check => {
                let before = Vector::of_all(&self.lab).await;
                Ok(self.agree(&before, Instant::now(), CHECK_WITHIN, say).await)
            }
            Order::Chaos { seed, minutes } => self.chaos(*seed, *minutes, say).await,
            Order::Report => self.report(say).await,
            Order::Kill { .. }
            | Order::Start { .. }
            | Order::Pause { .. }
            | Order::Wipe { .. }
            | Order::Skew { .. }
            | Order::Add { .. }
            | Order::Remove { .. } => self.carry_out_on_nodes(order, say).await,
        }
    }

    async fn carry_out_on_nodes(&self, order: &Order, say: &Say) -> Result<Outcome> {
        let before = if let Order::Wipe { name } = order {
            // What only that disk had goes with it.
            Vector::of_others(&self.lab, name).await
        } else {
            Vector::of_all(&self.lab).await
        };
        let since = Instant::now();
        let after = || format!("after {} ms:", since.elapsed().as_millis());
        let changed = match order {
            Order::Kill { name } => {
                let killed = self.lab.kill(name).await?;
                return self.done(say, list("killed", &killed, "it is down already")).await;
            }
            Order::Pause { name } => {
                let paused = self.lab.pause(name).await?;
                return self.done(say, list("held", &paused, "it does not run")).await;
            }
            Order::Remove { name } => {
                let removed = self.lab.remove(name).await?;
                return self.done(say, format!("{removed} has left and is gone")).await;
            }
            Order::Start { name } => {
                let started = self.lab.start_again(name).await?;
                list(&format!("ready {}", after()), &started, "it runs already")
            }
            Order::Wipe { name } => {
                let wiped = self.lab.wipe(name).await?;
                format!("ready with an empty disk {} {wiped}", after())
            }
            Order::Skew { name, offset_ms } => {
                let skewed = self.lab.skew(name, *offset_ms).await?;
                format!("ready with a clock that is off by {offset_ms} ms {} {skewed}", after())
            }
            Order::Add { region } => {
                let added = self.lab.add(region).await?;
                format!("ready {} {added}, {}", after(), self.lab.node_url(&added))
            }
            Order::Cut { .. }
            | Order::Slow { .. }
            | Order::Lose { .. }
            | Order::Heal { .. }
            | Order::Status
            | Order::Check
            | Order::Chaos { .. }
            | Order::Report => return Ok(Outcome::Failed),
        };
        self.say(say, changed).await;
        Ok(self.agree(&before, since, self.patience(), say).await)
    }

    async fn done(&self, say: &Say, text: String) -> Result<Outcome> {
        self.say(say, text).await;
        Ok(Outcome::Done)
    }

    async fn tell_status(&self, say: &Say) -> Result<Outcome> {
        for line in self.status().await? {
            say.line(line).await;
        }
        Ok(Outcome::Done)
    }
}

fn slower(delay_ms: Option<f64>, rate_mbit: Option<f64>) -> Result<Change> {
    ensure!(delay_ms.is_some() || rate_mbit.is_some(), "give --delay-ms, --rate-mbit, or both");
    ensure!(
        delay_ms.is_none_or(|ms| (0.0..=60_000.0).contains(&ms)),
        "--delay-ms must lie between 0 and 60000"
    );
    ensure!(rate_mbit.is_none_or(|rate| rate > 0.0 && rate.is_finite()), "--rate-mbit must be above 0");
    let delay = delay_ms.map(|ms| Duration::from_secs_f64(ms / 1e3));
    Ok(Change { delay, rate_mbit, loss_percent: None })
}
