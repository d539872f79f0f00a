//! Everything that needs RocksDB, QUIC or a socket, in one binary.

mod transport;
