//! Everything that needs RocksDB, QUIC, a socket a browser or a process of its own, in one binary.

mod browser;
mod http;
mod node;
mod patience;
mod regions;
mod serving;
mod store;
mod transport;
mod upgrade;
