//! Writers: requests with stamps made by hand, in every order, aimed at registers and titles.
//!
//! They know nothing of players; they write what could come through a door: few places often, so that
//! registers are overwritten, and many places once, so that a greater write does not hide a lost one.

use std::sync::Arc;

use playmark::{
    crdt::{Key, Slot, Stamp, TitleId, VALUE_BYTES_MAX},
    playback::slot::FENCE,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    invariants::acknowledged::Promise,
    network::chance,
    profile::{Load, pick},
    request::Write,
    time::{BEGINNING, Moment},
};

/// How many requests are remembered to be repeated.
const REMEMBERED_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Writers {
    load: Load,
    titles: Vec<TitleId>,
    sent: Vec<Write>,
    written: u32,
}

impl Writers {
    pub(crate) fn new(load: Load) -> Self {
        let title = |n| TitleId::parse("ann", &format!("film-{n}")).expect("both are ids");
        Self { load, titles: (0..load.titles).map(title).collect(), sent: Vec::new(), written: 0 }
    }

    /// Whether all has been written.
    pub(crate) fn are_done(&self) -> bool {
        self.written >= self.load.writes
    }

    /// The next burst.
    pub(crate) fn burst(&mut self, at: Moment, rng: &mut ChaCha8Rng) -> Vec<Write> {
        let count = rng.random_range(1..=self.load.burst);
        self.written += count;
        (0..count).map(|_| self.request(at, rng)).collect()
    }

    fn request(&mut self, at: Moment, rng: &mut ChaCha8Rng) -> Write {
        let load = self.load;
        if !self.sent.is_empty() && chance(rng, load.retry_percent + load.lie_percent) {
            let mut request = self.sent[rng.random_range(0..self.sent.len())].clone();
            if chance(rng, load.lie_percent * 100 / (load.retry_percent + load.lie_percent)) {
                request.value = value(rng, load.value_bytes);
            }
            return request;
        }
        let key = self.key(rng);
        let early = rng.random_range(0..=load.disorder_ms);
        let stamp = Stamp {
            time: BEGINNING.plus_ms(at.as_ms()).minus_ms(early),
            counter: self.written + rng.random_range(0..4),
            writer: key.slot.id,
        };
        let value = if key.slot == FENCE { Arc::from([].as_slice()) } else { value(rng, load.value_bytes) };
        let promise = if load.promises {
            pick(rng, &[Promise::Process, Promise::Process, Promise::Synced, Promise::Replicated])
        } else {
            Promise::Process
        };
        let request = Write { key, stamp, value, promise };
        if self.sent.len() < REMEMBERED_MAX {
            self.sent.push(request.clone());
        } else {
            self.sent[rng.random_range(0..REMEMBERED_MAX)] = request.clone();
        }
        request
    }

    fn key(&self, rng: &mut ChaCha8Rng) -> Key {
        let title = &self.titles[rng.random_range(0..self.titles.len())];
        if chance(rng, self.load.fence_percent) {
            return if chance(rng, 25) { title.profile.scope().key(FENCE) } else { title.key(FENCE) };
        }
        let session = rng.random_range(0..self.load.sessions);
        let mut id = [0; 16];
        id[..4].copy_from_slice(&(session * 0x0101_0101).to_be_bytes());
        title.key(Slot { kind: pick(rng, &[1, 2, 2, 2, 3, 4]), id })
    }
}

fn value(rng: &mut ChaCha8Rng, bytes_max: usize) -> Arc<[u8]> {
    let bytes = rng.random_range(1..=bytes_max.min(VALUE_BYTES_MAX));
    let mut value = vec![0; bytes];
    rng.fill(&mut value[..]);
    value.into()
}
