//! A node's process from its start to its end, whoever ends it.

mod configuration;
mod kills;
mod leaving;
