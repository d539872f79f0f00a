//! Playmark remembers where a viewer stopped.
//!
//! Players report positions as often as once a second; later any device, in any region, asks where to
//! go on. Any node takes any write, replicas feed each other over QUIC, and all of them converge
//! whatever the order or loss. The rooms of the house, from what is true to what players see:
//! [`crdt`] → [`playback`] → [`store`] → [`replica`] → `transport` → `node` → `http`.

#[cfg(feature = "node")]
pub mod config;
pub mod crdt;
#[cfg(feature = "node")]
pub mod http;
pub mod membership;
#[cfg(feature = "node")]
pub mod node;
pub mod playback;
pub mod replica;
pub mod store;
#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "node")]
mod within;
pub mod zoo;
