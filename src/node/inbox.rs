//! What is asked of the driver, and how much of it may wait.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    crdt::{Dot, Merged},
    node::{OriginView, snapshot::Synced},
    playback::Write,
    store::Durability,
};

/// How many writes may wait for the driver, over all requests: a tenth of a second of what one core
/// commits, and some 16 MiB with every value at its greatest. A write beyond it is turned away.
pub const INBOX_WRITES_MAX: usize = 16_384;

/// How many questions about the node's state may wait beside the writes.
pub const INBOX_LOOKS_MAX: usize = 16;

/// The channel's capacity. Every command in it holds a permit of one of the two bounds above, so that
/// there is always room for whoever has one; the one more is the driver's order to leave.
pub(super) const INBOX_COMMANDS_MAX: usize = INBOX_WRITES_MAX + INBOX_LOOKS_MAX + 1;

/// What an acknowledgement has survived by the time it is given; each includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Assurance {
    /// The end of the process.
    #[default]
    Process,
    /// A power cut.
    Synced,
    /// The loss of this machine: a peer would keep it through a power cut.
    Replicated,
}

impl Assurance {
    /// The name that players see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Synced => "synced",
            Self::Replicated => "replicated",
        }
    }

    /// Whether it is given only when a device has what was written.
    pub(super) const fn waits_for_the_device(self) -> bool {
        matches!(self.durability(), Durability::Synced)
    }

    /// What the store must do for it.
    pub(super) const fn durability(self) -> Durability {
        match self {
            Self::Process => Durability::Process,
            Self::Synced | Self::Replicated => Durability::Synced,
        }
    }
}

/// What became of one write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Whether it changed what stood.
    pub merged: Merged,
    /// The dot of what stands in its place after the turn, whoever's it is; `None` where its title has
    /// no room for it.
    pub standing: Option<Dot>,
}

/// What became of a request's writes, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// One for each write.
    pub outcomes: Vec<Outcome>,
    /// What all of them have survived, which may be less than was asked for.
    pub assurance: Assurance,
}

/// A request's writes on their way through the driver.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) writes: Vec<Write>,
    pub(super) assurance: Assurance,
    pub(super) reply: oneshot::Sender<Written>,
    /// Given back when the order has been answered.
    pub(super) permit: OwnedSemaphorePermit,
}

/// A question about the node's state.
#[derive(Debug)]
pub(super) enum Look {
    /// What is held of each origin.
    Origins(oneshot::Sender<Vec<OriginView>>),
    /// Who has synced past a write.
    Synced(Dot, oneshot::Sender<Synced>),
}

/// An entry of the inbox.
#[derive(Debug)]
pub(super) enum Command {
    /// Write, commit, then answer.
    Write(Order),
    /// Tell how the node stands.
    Look(Look, OwnedSemaphorePermit),
    /// Take no more, finish what is in the inbox, and end.
    Leave,
}

impl Command {
    /// Whether any thread may see to it, for it waits for nothing.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Write(order) if !order.assurance.waits_for_the_device())
    }
}
