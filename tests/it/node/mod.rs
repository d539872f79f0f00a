//! A node's process from its start to its end, whoever ends it.

mod configuration;
mod directory;
mod failing;
mod full;
mod inbox;
mod kills;
mod leaving;
mod pen;
