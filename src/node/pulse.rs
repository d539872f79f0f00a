//! What the driver is at, for a watchdog that says where it stands still.
//!
//! A turn that hangs in a commit holds the pen, and everybody who writes waits; nothing in the process is in a state to say
//! so but a thread of its own. It changes nothing: a disk that answers again is a turn that goes on, and one that never does is for an
//! operator to see.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{crdt::Monotonic, node::Clock};

/// How long one step may last before the watchdog barks: far longer than a device takes that is only busy, and sooner than
/// a viewer gives up.
pub const STALLED_AFTER: Duration = Duration::from_secs(5);

/// How often the watchdog looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the driver does, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing: it waits for something to do.
    Resting,
    /// Takes in what has come, and reads what stands there.
    Staging,
    /// Waits until the store has written it.
    Committing,
    /// Answers those who wrote.
    Answering,
    /// Reads what peers are to be told, and hands it to their links.
    Sending,
    /// Waits until the device has what was committed.
    Syncing,
}

/// A step that goes on for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stall {
    /// Which.
    pub step: Step,
    /// For how long.
    pub lasting: Duration,
}

/// The driver's pulse: cheap to beat, for it beats several times a turn.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    step: AtomicU8,
    /// When the turn or the sync began, in milliseconds since the start, and one more.
    since: AtomicU64,
}

impl Step {
    const ALL: [Self; 6] =
        [Self::Resting, Self::Staging, Self::Committing, Self::Answering, Self::Sending, Self::Syncing];

    /// The name that operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Staging => "staging",
            Self::Committing => "committing",
            Self::Answering => "answering",
            Self::Sending => "sending",
            Self::Syncing => "syncing",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Committing | Self::Syncing => "the disk does not answer",
            Self::Staging | Self::Answering | Self::Sending => {
                "the disk does not answer a read, or the machine stands still"
            }
            Self::Resting => "nothing",
        }
    }
}

impl Pulse {
    /// A turn, or a sync, begins.
    pub(super) fn begin(&self, step: Step, now: Monotonic) {
        let ms = u64::try_from(now.since(Monotonic::default()).as_millis()).unwrap_or(u64::MAX - 1);
        self.step.store(step as u8, Ordering::Relaxed);
        self.since.store(ms + 1, Ordering::Release);
    }

    /// It goes on with another step.
    pub(super) fn go_on(&self, step: Step) {
        self.step.store(step as u8, Ordering::Relaxed);
    }

    /// It is over.
    pub(super) fn rest(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// What goes on for too long.
    pub(super) fn stall(&self, now: Monotonic) -> Option<Stall> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        let lasting = now.since(Monotonic::since_start(Duration::from_millis(since)));
        let step = Step::ALL[usize::from(self.step.load(Ordering::Relaxed)) % Step::ALL.len()];
        (lasting >= STALLED_AFTER).then_some(Stall { step, lasting })
    }
}

/// Starts the watchdog; it ends with the last that holds a pulse.
///
/// # Errors
/// The system may have no thread left.
pub(super) fn watch(pulses: &[Arc<Pulse>], clock: Clock) -> std::io::Result<()> {
    let pulses: Vec<_> = pulses.iter().map(Arc::downgrade).collect();
    thread::Builder::new().name("watchdog".into()).spawn(move || look_after(&pulses, clock))?;
    Ok(())
}

fn look_after(pulses: &[Weak<Pulse>], clock: Clock) {
    let mut barked = vec![Duration::ZERO; pulses.len()];
    loop {
        thread::park_timeout(LOOK_EVERY);
        for (pulse, barked) in pulses.iter().zip(&mut barked) {
            let Some(pulse) = pulse.upgrade() else { return };
            bark(pulse.stall(clock.now().mono), barked);
        }
    }
}

/// Says that a step stands still, once more each time that has lasted twice as long, and when it is over.
fn bark(stall: Option<Stall>, barked: &mut Duration) {
    match stall {
        Some(Stall { step, lasting }) if lasting >= *barked * 2 => {
            *barked = lasting;
            let (step, why) = (step.as_str(), step.hint());
            tracing::error!(
                step,
                ?lasting,
                why,
                "the driver stands still: writes wait, and are refused when the inbox is full"
            );
        }
        None if !barked.is_zero() => {
            tracing::info!(stood_still_for = ?*barked, "the driver goes on");
            *barked = Duration::ZERO;
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Monotonic {
        Monotonic::since_start(Duration::from_millis(ms))
    }

    #[test]
    fn a_step_that_lasts_too_long_is_named_until_it_is_over() {
        let pulse = Pulse::default();
        assert_eq!(pulse.stall(at(60_000)), None, "who rests may do so for long");
        pulse.begin(Step::Staging, at(0));
        pulse.go_on(Step::Committing);
        assert_eq!(pulse.stall(at(4_999)), None);
        let stall = Stall { step: Step::Committing, lasting: Duration::from_secs(7) };
        assert_eq!(pulse.stall(at(7_000)), Some(stall));
        pulse.rest();
        assert_eq!(pulse.stall(at(8_000)), None);
    }

    #[test]
    fn it_is_said_again_when_it_has_lasted_twice_as_long() {
        let mut barked = Duration::ZERO;
        let mut said = Vec::new();
        for seconds in 5..=24 {
            let before = barked;
            let lasting = Duration::from_secs(seconds);
            bark(Some(Stall { step: Step::Syncing, lasting }), &mut barked);
            said.extend((barked != before).then_some(seconds));
        }
        assert_eq!(said, [5, 10, 20]);
        bark(None, &mut barked);
        assert_eq!(barked, Duration::ZERO);
    }
}
