//! A multi-region Playmark on one machine: real processes, a WAN between them, and viewers.
//!
//! The problem: a replica set is judged by what its users see while lines break and machines die, and that
//! is seen from outside or not at all. The mechanism is a black box: this crate knows the `playmark` binary, its
//! configuration and its HTTP API, and links none of its code. It starts one process a node ([`lab`]), lets all that
//! passes between regions pass through a WAN that delays, loses and cuts ([`wan`]), lets viewers watch ([`viewers`]), and asks every region the same questions ([`agreement`]).
//!
//! What was refused: reaching into a replica to see whether it converged. A promise to players is kept when
//! players can tell, and by the same token a wrong answer cannot hide behind a right internal state.
#![cfg(feature = "processes")]

pub mod agreement;
pub mod api;
mod board;
mod console;
pub mod control;
mod environment;
mod http;
pub mod lab;
pub mod top;
pub mod topology;
pub mod up;
pub mod viewers;
pub mod wan;
pub mod web;
