//! Three processes in three regions, certified by one authority.

mod backups;
mod clocks;
mod erasures;
mod following;
mod garbage;
mod joining;
mod members;
mod repairing;
mod rotting;
mod strangers;
mod together;
mod trio;
mod verifying;

pub(crate) use trio::{point_after, status, up};
