//! Everything that needs RocksDB, QUIC, a socket or a process of its own, in one binary.

mod serve;
mod store;
mod transport;
