//! The store on a disk: its contract, and what it makes of crashes, rot and strangers.

mod child;
mod contract;
mod crash;
mod directory;
mod reading;
mod rot;
mod workload;
