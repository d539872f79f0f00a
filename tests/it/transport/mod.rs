//! Links between real endpoints on loopback.

mod certs;
mod cuts;
pub(crate) mod forger;
mod links;
mod refusals;
mod relay;
mod world;
