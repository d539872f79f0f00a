//! `playmark serve` as a process, and what a player does with it.
//!
//! A [`Serve`] is a command line, a [`Node`] a process that it started, a [`Mint`] signs tokens as the
//! cluster does, an [`Issuer`] as whoever logs viewers in, and [`problem`] reads a refusal.

mod authority;
mod crowd;
mod issuer;
mod line;
mod listener;
mod mint;
mod player;
mod problem;
mod process;

pub(crate) use authority::Authority;
pub(crate) use crowd::Crowd;
pub(crate) use issuer::{Issuer, Published, ada};
pub(crate) use line::{Line, request, split};
pub(crate) use listener::Listener;
pub(crate) use mint::{Mint, claims, days_ms};
pub(crate) use player::{Player, anonymous, ids, report, route_of, route_to};
pub(crate) use problem::{kind_of, problem};
pub(crate) use process::{Node, Serve};
