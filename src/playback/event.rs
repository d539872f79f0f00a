//! What a player was doing, and how safe a report of it must be before it is acknowledged.

use serde::{Deserialize, Serialize};

/// What a player was doing when it took a sample. A number once given is never given again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Event {
    /// The playhead moves.
    Playing,
    /// It stands still.
    Paused,
    /// It has jumped.
    Seeked,
    /// The player was closed.
    Stopped,
    /// The playhead ran into the end.
    Ended,
    /// The player gave up.
    Failed,
    /// The viewer began again from the start, on purpose.
    Restarted,
}

/// What an acknowledgement promises to survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Promise {
    /// The end of the process. A lost tick is healed by the next one.
    #[default]
    Process,
    /// A power cut. Nothing comes after a lost stop.
    Synced,
}

impl Event {
    const ALL: [Self; 7] = [
        Self::Playing,
        Self::Paused,
        Self::Seeked,
        Self::Stopped,
        Self::Ended,
        Self::Failed,
        Self::Restarted,
    ];

    /// The name that players use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Seeked => "seeked",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Restarted => "restarted",
        }
    }

    /// The event of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// What the acknowledgement of such a report must at least survive.
    pub const fn promise(self) -> Promise {
        match self {
            Self::Paused | Self::Seeked | Self::Stopped | Self::Ended => Promise::Synced,
            Self::Playing | Self::Failed | Self::Restarted => Promise::Process,
        }
    }

    /// Whether the playhead stands still when such a report is made, for seconds or for hours.
    pub const fn is_still(self) -> bool {
        match self {
            Self::Paused | Self::Stopped | Self::Ended | Self::Failed => true,
            Self::Playing | Self::Seeked | Self::Restarted => false,
        }
    }
}

impl From<Event> for u8 {
    fn from(event: Event) -> Self {
        match event {
            Event::Playing => 0,
            Event::Paused => 1,
            Event::Seeked => 2,
            Event::Stopped => 3,
            Event::Ended => 4,
            Event::Failed => 5,
            Event::Restarted => 6,
        }
    }
}

impl TryFrom<u8> for Event {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::ALL.get(usize::from(number)).copied().ok_or("an event of a later build")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_name_and_by_its_number() {
        for event in Event::ALL {
            assert_eq!(Event::named(event.as_str()), Some(event));
            assert_eq!(Event::try_from(u8::from(event)), Ok(event));
        }
        assert_eq!(Event::named("buffering"), None);
        assert!(Event::try_from(7).is_err());
    }
}
