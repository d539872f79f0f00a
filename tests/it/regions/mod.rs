//! Three processes in three regions, certified by one authority.

mod backups;
mod clocks;
mod erasures;
mod following;
mod joining;
mod members;
mod repairing;
mod strangers;
mod together;
mod trio;
mod verifying;
