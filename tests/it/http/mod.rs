//! What players see of a node: one clear answer to whatever they send.

mod answers;
mod batches;
mod bodies;
mod health;
mod members;
mod renewals;
mod server;
mod titles;
mod tokens;
mod wire;
