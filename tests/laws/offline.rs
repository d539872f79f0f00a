//! What holds for an anchor that was derived, whatever a device's clocks say.

use playmark::{
    crdt::WallTime,
    playback::{Began, Clock, WILD_MS},
};
use proptest::{option, prelude::*};

const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);
const DAY: u64 = 86_400_000;

/// A session that a device really had, and what its clocks made of it.
#[derive(Clone, Debug)]
struct Offline {
    /// When it began.
    began: WallTime,
    /// What the device tells; its monotonic clock has slept for part of the time since.
    told: Began,
}

/// Sessions whose wall clock is off by any amount, and stays so.
fn any_offline() -> impl Strategy<Value = Offline> {
    let times = (0..60 * DAY, 0..DAY, 0..DAY, 0..DAY);
    (times, any::<i32>(), any::<bool>()).prop_map(|((ago, played, heard, slept), off_s, counts_sleep)| {
        let began = NOW.minus_ms(ago);
        let latest_elapsed_ms = played.min(ago);
        let slept = if counts_sleep { 0 } else { slept.min(ago - latest_elapsed_ms) };
        let wall =
            |right: WallTime| WallTime::from_ms(right.as_ms().saturating_add_signed(i64::from(off_s) * 500));
        let told = Began {
            clock: if counts_sleep { Clock::Boot } else { Clock::Active },
            latest_elapsed_ms,
            sent_elapsed_ms: Some(ago - slept),
            occurred_at: Some(wall(began)),
            sent_at: Some(wall(NOW)),
            last_server_time: Some(began.minus_ms(heard)),
            issued: None,
        };
        Offline { began, told }
    })
}

/// Any words that a device can say.
fn any_words() -> impl Strategy<Value = Began> {
    let near = || option::of((0..200 * DAY).prop_map(|ms| NOW.minus_ms(100 * DAY).plus_ms(ms)));
    let counts = (0..100 * DAY, option::of(0..100 * DAY), any::<bool>());
    (counts, near(), near(), near(), near()).prop_map(
        |((latest_elapsed_ms, sent_elapsed_ms, boot), occurred_at, sent_at, last_server_time, issued)| {
            Began {
                clock: if boot { Clock::Boot } else { Clock::Active },
                latest_elapsed_ms,
                sent_elapsed_ms,
                occurred_at,
                sent_at,
                last_server_time,
                issued,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_device_whose_clocks_only_go_on_is_dated_to_the_millisecond(offline in any_offline()) {
        let derived = offline.told.derive(NOW).expect("it counts rightly");
        prop_assert_eq!(derived.anchor, offline.began);
    }

    #[test]
    fn one_clock_that_goes_on_is_enough_not_to_be_dated_later(
        offline in any_offline(),
        set_to in 0..200 * DAY,
    ) {
        // The wall clock was set in between; only a count of the sleep is worth anything.
        let sent_at = Some(NOW.minus_ms(100 * DAY).plus_ms(set_to));
        let told = Began { clock: Clock::Boot, sent_at, sent_elapsed_ms: Some(NOW.ms_since(offline.began)), ..offline.told };
        let derived = told.derive(NOW).expect("it counts rightly");
        prop_assert!(derived.anchor <= offline.began);
        prop_assert!(Some(derived.anchor) >= told.last_server_time);
    }

    #[test]
    fn whatever_a_device_says_it_beats_what_it_knew_and_not_what_is_to_come(told in any_words()) {
        let Ok(derived) = told.derive(NOW) else { return Ok(()) };
        prop_assert!(derived.anchor <= NOW);
        prop_assert!(derived.anchor.plus_ms(told.latest_elapsed_ms) <= NOW.plus_ms(WILD_MS));
        prop_assert!(told.last_server_time.is_none_or(|heard| derived.anchor >= heard.min(NOW)));
    }
}
