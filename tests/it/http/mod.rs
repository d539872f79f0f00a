//! What players see of a node: one clear answer to whatever they send.

mod answers;
mod auth;
mod batches;
mod bodies;
mod changes;
mod commands;
mod cors;
mod erasing;
mod events;
mod exports;
mod health;
mod incognito;
mod limits;
mod lists;
mod many;
mod members;
mod places;
mod profiles;
mod reasons;
mod renewals;
mod server;
mod sync;
mod titles;
mod tokens;
mod waits;
mod wire;
