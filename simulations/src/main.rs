//! Playmark.
fn main() {}
