//! The bug zoo: known mistakes that can be planted, so that the simulator proves it would find them.
//!
//! Without the feature `zoo` every question is answered with a constant *no* and costs nothing. With it
//! the answer is per thread, and *no* until a test plants something.

/// A mistake that somebody has made, here or elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Bug {
    /// A member that was declared down stays down for as long as it lives.
    DownForGood,
    /// Of two lives of a replica the earlier one counts.
    EarlierLifeCounts,
    /// Members that are down are not dialled any more.
    LostAreNotDialled,
    /// Every member of a region takes all writes of other regions across.
    EverybodyAcross,
    /// Whoever is linked and taken for down is not told that this member is there.
    StrangersUntold,
    /// A part that does not join on is taken all the same, and the vector moves.
    VectorPastGap,
    /// The vector moves with the first part of a span.
    VectorWithFirstPart,
    /// Foreign versions do not move the clock.
    ClockNotMerged,
    /// A new life starts its clock from the wall alone.
    FloorNotKept,
    /// Equal stamps with different values keep whichever came first.
    TiesByArrival,
    /// What is staged is sent before it is committed.
    SentBeforeCommit,
    /// An entry whose register belongs to another origin is skipped.
    OverwrittenSkipped,
    /// An entry whose register was pruned is skipped.
    PrunedSkipped,
    /// Nobody feeds origins whose life is over, so a lost tail is never learnt again.
    OldOriginsNotFed,
    /// A position is logged only where the merge changed something.
    OnlyChangesLogged,
    /// What is written again while its span is on its way is left out of it.
    MovedLeftOut,
    /// A cursor into an unfinished span is taken to another feeder.
    CursorAtAnotherFeeder,
    /// An overwritten entry goes although its successor is above the vector.
    EntryDroppedAboveVector,
    /// An entry goes because another origin has overwritten its register.
    ForeignEntryDropped,
    /// Writing goes on under the same origin after a failed commit.
    GoesOnAfterFailedCommit,
    /// A register is merged without a look at its check.
    RotMerged,
    /// An acknowledgement claims as synced what is only committed.
    UnsyncedClaimed,
    /// A relay writes values anew and strips what it does not know.
    UnknownStripped,
    /// A new life takes for synced all that it finds in its store.
    UnsyncedAtOpen,
    /// A feed that is hard at work on one origin is asked anew because of another.
    BusyFeedRenewed,
    /// Registers of a life that lost its tail stay where they came early, and nobody else hears of them.
    EarlyForgotten,
    /// A new life does not know of which origins it holds early registers.
    EarlyUnnoted,
    /// What a peer had synced in an earlier life is believed of its next one.
    SyncedOfAnEarlierLink,
    /// A fence that rises sweeps nothing out.
    RisenFenceSweepsNothing,
    /// What a profile's fence has erased is merged again.
    MergedBehindProfileFence,
    /// An entry that a profile's fence has erased is answered without the fence.
    ProfileFenceUntold,
    /// A register comes into a title that has no place for it.
    TitleOverfilled,
    /// A session's time line begins at the node's wall, whatever has been shown.
    AnchorFromWallAlone,
    /// A report without movement carries a time of its own.
    StampWithoutMovement,
    /// A replica stamps heartbeats with its own clock where they are older.
    StampClampedToNow,
    /// Players send queued samples under their newest token.
    NewestTokenOnOldSamples,
    /// The node answers before it has committed.
    AcknowledgedBeforeCommit,
    /// More parts are sent than the window allows.
    WindowIgnored,
    /// A title that was told once is never told again, whatever it has gained since.
    ToldOnceForAll,
    /// Each new subscription begins with a whole window, whatever is still on its way.
    WindowOpensWide,
    /// Of a turn's writes of one session the greatest alone is made, whatever places they are for.
    CoalescedAcrossSlots,
    /// A fresh replica answers at once, whoever else knows more.
    ServesWhileEmpty,
    /// A peer that has not caught up itself counts as one to catch up with.
    CaughtUpWithAnybody,
    /// That a replica has caught up is noted, and may be lost in a power cut.
    CaughtUpUnsynced,
    /// A replica takes itself for caught up with a peer when it has that peer's own writes.
    CaughtUpWithOneOrigin,
    /// Replicas compare shards in which writes are on their way.
    ComparedWhileOnItsWay,
    /// The sums of a replica's registers keep what a title has pruned.
    SumsForgetRemovals,
}

impl Bug {
    /// Every planted bug, so that none is forgotten.
    pub const ALL: [Self; 47] = [
        Self::DownForGood,
        Self::EarlierLifeCounts,
        Self::LostAreNotDialled,
        Self::EverybodyAcross,
        Self::StrangersUntold,
        Self::VectorPastGap,
        Self::VectorWithFirstPart,
        Self::ClockNotMerged,
        Self::FloorNotKept,
        Self::TiesByArrival,
        Self::SentBeforeCommit,
        Self::OverwrittenSkipped,
        Self::PrunedSkipped,
        Self::OldOriginsNotFed,
        Self::OnlyChangesLogged,
        Self::MovedLeftOut,
        Self::CursorAtAnotherFeeder,
        Self::EntryDroppedAboveVector,
        Self::ForeignEntryDropped,
        Self::GoesOnAfterFailedCommit,
        Self::RotMerged,
        Self::UnsyncedClaimed,
        Self::UnknownStripped,
        Self::UnsyncedAtOpen,
        Self::BusyFeedRenewed,
        Self::EarlyForgotten,
        Self::EarlyUnnoted,
        Self::SyncedOfAnEarlierLink,
        Self::RisenFenceSweepsNothing,
        Self::MergedBehindProfileFence,
        Self::ProfileFenceUntold,
        Self::TitleOverfilled,
        Self::AnchorFromWallAlone,
        Self::StampWithoutMovement,
        Self::StampClampedToNow,
        Self::NewestTokenOnOldSamples,
        Self::AcknowledgedBeforeCommit,
        Self::WindowIgnored,
        Self::ToldOnceForAll,
        Self::WindowOpensWide,
        Self::CoalescedAcrossSlots,
        Self::ServesWhileEmpty,
        Self::CaughtUpWithAnybody,
        Self::CaughtUpUnsynced,
        Self::CaughtUpWithOneOrigin,
        Self::ComparedWhileOnItsWay,
        Self::SumsForgetRemovals,
    ];
}

#[cfg(feature = "zoo")]
mod planted {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in this thread, or (`None`) removes what was planted.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Says whether a bug is planted in this thread.
    pub fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "zoo")]
pub use planted::{plant, planted};

/// Says that no bug is planted, since this build has no zoo.
#[cfg(not(feature = "zoo"))]
pub const fn planted(_: Bug) -> bool {
    false
}
