//! Making one of a title's other places the resume point again.

use crate::playback::{Bookmark, Place, ResumePoint, SessionId, Vantage, Write};

/// Nobody has left a place of that session, or it has been pruned; the caller's fault, or its haste.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the title has no place of this session; ask which it has")]
pub struct NoSuchPlace;

/// Sets the place at which `session` left the title, as a viewer sets one by hand; `None` where it is the
/// resume point already.
///
/// The session itself stays as it is: it did not play again. The bookmark's name is made from the
/// session's, so whoever restores it once more replaces the bookmark, and a request that is repeated
/// before anything else happens writes what stands.
///
/// # Errors
/// There may be no such place.
pub fn restore(
    from: &Vantage<'_>,
    point: &ResumePoint,
    session: SessionId,
) -> Result<Option<Write>, NoSuchPlace> {
    let mut places = std::iter::once(&point.place).chain(point.alternatives.iter().map(|other| &other.place));
    let place = places.find(|place| place.session == session).ok_or(NoSuchPlace)?;
    if session == point.place.session {
        return Ok(None);
    }
    let (name, bookmark) = (name_of(session), Bookmark::of(place));
    let stands = if point.place.session == name { from.repeated(name, &bookmark) } else { None };
    Ok(Some(stands.unwrap_or_else(|| from.place(name, bookmark))))
}

fn name_of(session: SessionId) -> SessionId {
    SessionId::parse(&format!("restored from {session}")).expect("a UUID and 14 letters are a name")
}

impl Bookmark {
    /// A bookmark at a place that somebody has left.
    ///
    /// On what it was is not taken over: it was not set there.
    pub fn of(place: &Place) -> Self {
        let sample = &place.sample;
        Self {
            position_ms: sample.position_ms,
            duration_ms: sample.duration_ms,
            credits_ms: sample.credits_ms,
            device: None,
            series: sample.series.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{Dot, Origin, Register, Slot, Stamp, TitleId, WallTime},
        playback::{Policy, Sample, Series, resume, sample::tests::playing, slot},
    };

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);

    fn title() -> TitleId {
        TitleId::parse("ann", "film").expect("both are ids")
    }

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn played(n: u8, time: WallTime, position_ms: u64) -> (Slot, Register) {
        let stamp = Stamp { time, counter: 7, writer: *id(n).as_bytes() };
        let series = Series::parse("s").ok();
        let sample =
            Sample { played_ms: 60_000, duration_ms: Some(9_000_000), series, ..playing(position_ms) };
        let slot = slot::session(id(n));
        (slot, Register::seal(&title().key(slot), stamp, Dot::default(), sample.encode()))
    }

    /// What a request to restore writes, and what stands after it.
    type After = (Option<Write>, Vec<(Slot, Register)>);

    fn after(registers: &[(Slot, Register)], session: SessionId) -> Result<After, NoSuchPlace> {
        let title = title();
        let origin = Origin::from_bytes([9; 16]);
        let from = Vantage { title: &title, registers, profile_fence: None, origin, now: NOW };
        let point = resume(registers, None, &Policy::default()).expect("a place");
        let write = restore(&from, &point, session)?;
        let mut all = registers.to_vec();
        if let Some(write) = &write {
            all.retain(|(slot, _)| *slot != write.key.slot);
            let register = Register::seal(&write.key, write.stamp, Dot::default(), write.value.clone());
            all.push((write.key.slot, register));
        }
        Ok((write, all))
    }

    fn position_ms(registers: &[(Slot, Register)]) -> u64 {
        resume(registers, None, &Policy::default()).expect("a place").place.sample.position_ms
    }

    #[test]
    fn a_restored_place_wins_over_everything_shown_and_leaves_all_places_as_they_were() {
        let registers = [played(1, NOW, 3_180_000), played(2, NOW.plus_ms(2_000), 5_000)];
        let (write, all) = after(&registers, id(1)).expect("there is such a place");
        assert_eq!(write.expect("it was not the resume point").stamp.time, NOW.plus_ms(2_001));
        let point = resume(&all, None, &Policy::default()).expect("a place");
        let Sample { position_ms, duration_ms, series, .. } = &point.place.sample;
        assert_eq!((*position_ms, *duration_ms), (3_180_000, Some(9_000_000)));
        assert_eq!(series.as_ref().map(Series::as_str), Some("s"));
        let others = point.alternatives.iter().map(|other| other.place.session);
        assert_eq!(others.collect::<Vec<_>>(), [id(2), id(1)]);
    }

    #[test]
    fn a_request_that_is_repeated_writes_what_stands_until_something_else_has_happened() {
        let registers = [played(1, NOW, 3_180_000), played(2, NOW.plus_ms(2_000), 5_000)];
        let (first, all) = after(&registers, id(1)).expect("there is such a place");
        let (again, all) = after(&all, id(1)).expect("there is such a place");
        assert_eq!(again, first);
        let (_, all) = after(&all, id(2)).expect("there is such a place");
        assert_eq!(position_ms(&all), 5_000);
        let (back, all) = after(&all, id(1)).expect("there is such a place");
        assert!(back.expect("it has been left since").stamp > first.expect("it was written").stamp);
        assert_eq!((position_ms(&all), all.len()), (3_180_000, 4));
    }

    #[test]
    fn what_stands_already_is_not_written_and_what_was_never_there_cannot_be() {
        let registers = [played(1, NOW, 3_180_000)];
        assert_eq!(after(&registers, id(1)).expect("there is such a place").0, None);
        assert_eq!(after(&registers, id(2)), Err(NoSuchPlace));
    }
}
