//! `cluster top`: what the console shows, for people over ssh.
//!
//! The picture comes from the running cluster's console, once a second. Where the output is no terminal, or one look is
//! all that is wanted, it is printed once, as text.

use std::{
    fs,
    io::{IsTerminal, Write, stdout},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use ratatui::{
    Frame, Terminal,
    backend::TestBackend,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize},
    text::Line,
    widgets::{Block, Paragraph, Row, Table},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    api::Api,
    web::{NodeState, Picture},
};

/// How often keys are looked for.
const LOOK_FOR_KEYS_EVERY: Duration = Duration::from_millis(100);

/// A picture is fetched once in so many looks for keys.
const LOOKS_A_PICTURE: u32 = 10;

/// What is printed where there is no terminal is so wide, and so high at most.
const PRINTED: (u16, u16) = (120, 80);

/// Watch the cluster in this terminal.
#[derive(Clone, Debug, Args)]
pub struct Top {
    /// Print one picture and end.
    #[arg(long)]
    once: bool,
}

/// Shows the cluster that runs in a state directory until `q` is pressed. Exit code 3: nothing runs.
pub async fn run(dir: &Path, top: &Top) -> Result<ExitCode> {
    let Ok(url) = fs::read_to_string(dir.join("console.url")) else {
        eprintln!("no cluster runs in {}: start one with cluster/up", dir.display());
        return Ok(ExitCode::from(3));
    };
    let base = url.trim().trim_end_matches("/console").to_owned();
    let api = Api::default();
    if top.once || !stdout().is_terminal() {
        let picture = api.picture(&base).await.context("the console does not answer")?;
        // Whoever reads only the first lines has had enough.
        drop(stdout().write_all(printed(&picture)?.as_bytes()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminal = ratatui::try_init().context("this terminal cannot be drawn on")?;
    let watched = watch(&mut terminal, &api, &base).await;
    ratatui::restore();
    watched.map(|()| ExitCode::SUCCESS)
}

async fn watch(terminal: &mut ratatui::DefaultTerminal, api: &Api, base: &str) -> Result<()> {
    let mut looks = interval(LOOK_FOR_KEYS_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    for look in 0_u32.. {
        looks.tick().await;
        if is_over()? {
            break;
        }
        if look % LOOKS_A_PICTURE == 0 {
            match api.picture(base).await {
                Ok(picture) => last = Some((picture, None)),
                Err(why) => {
                    let why = Some(format!("the console does not answer: {why}"));
                    last = last.take().map(|(picture, _)| (picture, why));
                }
            }
        }
        if let Some((picture, why)) = &last {
            terminal.draw(|frame| draw(frame, picture, why.as_deref()))?;
        }
    }
    Ok(())
}

/// Whether somebody has pressed `q`, or Ctrl-C.
fn is_over() -> Result<bool> {
    while event::poll(Duration::ZERO)? {
        if let Event::Key(key) = event::read()? {
            let ends = key.code == KeyCode::Char('q')
                || key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if ends {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A picture as lines of text.
fn printed(picture: &Picture) -> Result<String> {
    let mut terminal = Terminal::new(TestBackend::new(PRINTED.0, PRINTED.1))?;
    terminal.draw(|frame| draw(frame, picture, None))?;
    let buffer = terminal.backend().buffer();
    let row = |y| (0..PRINTED.0).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    let rows: Vec<_> = (0..PRINTED.1).map(row).collect();
    let last = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
    Ok(rows[..last].join("\n") + "\n")
}

fn height(rows: usize) -> Constraint {
    // A heading, and a frame above and below.
    Constraint::Length(u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(3))
}

fn draw(frame: &mut Frame<'_>, picture: &Picture, why: Option<&str>) {
    let said = picture.lab.as_ref().map(|lab| lab.said.as_slice()).unwrap_or_default();
    let parts = [
        Constraint::Length(1),
        height(picture.nodes.len()),
        height(picture.lines.len()),
        Constraint::Length(7),
        Constraint::Length(u16::try_from(said.len()).unwrap_or(0).min(8) + 2),
    ];
    let [head, nodes, lines, viewers, log] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(heading(picture, why), head);
    draw_nodes(frame, nodes, picture);
    draw_lines(frame, lines, picture);
    frame.render_widget(figures(picture), viewers);
    let last: Vec<_> = said.iter().rev().take(8).rev().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(last).block(Block::bordered().title("said")), log);
}

fn heading<'a>(picture: &'a Picture, why: Option<&'a str>) -> Line<'a> {
    let topology = picture.lab.as_ref().map_or("", |lab| lab.topology.as_str());
    let apart = picture.divergence.iter().map(|pair| pair.behind_ms).max().unwrap_or_default();
    let head = format!("playmark {} {topology}   apart at most {apart} ms   q quits", picture.cluster);
    why.map_or_else(|| Line::from(head).bold(), |why| Line::from(why).style(Style::new().fg(Color::Red)))
}

fn draw_nodes(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let rows = picture.nodes.iter().map(|node| {
        let behind =
            node.lag.iter().map(|lag| lag.lag_ms).max().map_or("–".to_owned(), |ms| format!("{ms} ms"));
        let rate = node.heartbeats_per_s.map_or("–".to_owned(), |rate| format!("{rate:.1}"));
        let clock = node.clock_offset_ms.map_or("–".to_owned(), |off| format!("{off:+} ms"));
        let inbox = node.inbox.map_or("–".to_owned(), |inbox| inbox.len.to_string());
        let alarms = node.alarms.join("; ");
        let cells = [node.name.clone(), node.state.to_string(), rate, behind, clock, inbox, alarms];
        Row::new(cells).style(Style::new().fg(colour(node.state)))
    });
    let heads = ["node", "state", "heartbeats/s", "behind", "clock", "inbox", "alarms"];
    let widths = [16, 9, 13, 10, 11, 6, 40].map(Constraint::Length);
    let table =
        Table::new(rows, widths).header(Row::new(heads).bold()).block(Block::bordered().title("nodes"));
    frame.render_widget(table, area);
}

fn colour(state: NodeState) -> Color {
    match state {
        NodeState::Up => Color::Green,
        NodeState::Down => Color::Red,
        NodeState::Starting | NodeState::Paused | NodeState::Unknown => Color::Yellow,
    }
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let rows = picture.lines.iter().map(|line| {
        let state = if line.cut {
            "cut"
        } else if line.slowed {
            "changed"
        } else {
            "whole"
        };
        let colour = if line.cut {
            Color::Red
        } else if line.slowed {
            Color::Yellow
        } else {
            Color::Green
        };
        let way = format!("{} → {}", line.from, line.to);
        let delay = format!("{} ms + {} ms", line.delay_ms, line.jitter_ms);
        Row::new([way, state.to_owned(), delay, format!("{} %", line.loss_percent)])
            .style(Style::new().fg(colour))
    });
    let widths = [26, 9, 20, 8].map(Constraint::Length);
    let heads = Row::new(["line", "state", "delay", "loss"]).bold();
    frame.render_widget(Table::new(rows, widths).header(heads).block(Block::bordered().title("lines")), area);
}

fn figures(picture: &Picture) -> Paragraph<'_> {
    let block = Block::bordered().title("viewers");
    let Some(it) = &picture.viewers else { return Paragraph::new("nobody watches").block(block) };
    let took = it.ack_ms.unwrap_or_default();
    let lost = it.acknowledged_lost.map_or("not looked".to_owned(), |lost| lost.to_string());
    let seen = it.visible_ms.iter().map(|pair| pair.p50).fold(0.0, f64::max);
    Paragraph::new(vec![
        Line::from(format!(
            "watching {}   heartbeats/s {:.1}   acknowledged {}",
            it.watching, it.heartbeats_per_s, it.acknowledged
        )),
        Line::from(format!(
            "ack p50 {:.1} ms   p99 {:.1} ms   p99.9 {:.1} ms   took another region {}",
            took.p50, took.p99, took.p999, it.failed_over
        )),
        Line::from(format!(
            "went on elsewhere {}   told wrong {}   told stale {}",
            it.resumes, it.wrong_resumes, it.stale_resumes
        )),
        Line::from(format!("acknowledged and lost {lost}   seen elsewhere, p50 of the worst {seen:.0} ms")),
        Line::from(format!(
            "failed starts {}   watched offline {}   reported twice {}",
            it.failed_starts, it.watched_offline, it.repeated
        )),
    ])
    .block(block)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picture() -> Picture {
        serde_json::from_value(json!({
            "at_ms": 1, "drawn_by": "lab", "cluster": "demo",
            "nodes": [{
                "name": "eu-1", "region": "eu", "url": "http://127.0.0.1:1", "state": "down", "readiness": "unknown",
                "heartbeats_per_s": null, "uptime_ms": null, "clock_offset_ms": -1500, "inbox": null,
                "storage_bytes": null, "digest": null, "alarms": ["its clock is off by -1500 ms"],
                "lag": [{"from": "us-1", "lag_ms": 250}],
            }],
            "links": [],
            "lines": [{"from": "eu", "to": "us", "cut": true, "delay_ms": 45.0, "jitter_ms": 3.0, "loss_percent": 0.1, "slowed": false}],
            "divergence": [{"a": "eu-1", "b": "us-1", "behind_ms": 250, "writes": null}],
            "viewers": null,
            "lab": {"topology": "three-regions", "said": ["cut eu→us"]},
        }))
        .expect("it is a picture")
    }

    #[test]
    fn what_is_printed_has_nodes_lines_and_what_was_said() {
        let text = printed(&picture()).expect("it can be drawn");
        for wanted in [
            "apart at most 250 ms",
            "eu-1",
            "down",
            "-1500 ms",
            "eu → us",
            "cut",
            "nobody watches",
            "cut eu→us",
        ] {
            assert!(text.contains(wanted), "{wanted}:\n{text}");
        }
    }
}
