//! What clients ask of nodes.

use std::sync::Arc;

use playmark::crdt::{Key, Stamp};

use crate::invariants::acknowledged::Promise;

/// A write, as a node's door hands it to the driver.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) key: Key,
    pub(crate) stamp: Stamp,
    pub(crate) value: Arc<[u8]>,
    /// What the acknowledgement is to promise.
    pub(crate) promise: Promise,
}

/// What a node answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It stands, or something greater does.
    Stored(Promise),
}
