//! One direction between two regions: a bounded queue of packets under way.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Change,
    shape::{Fate, Shape},
};

/// A packet under way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) bytes: Arc<[u8]>,
    /// The socket it leaves by: the one its receiver knows the sender under.
    pub(super) by: Arc<UdpSocket>,
    pub(super) to: SocketAddr,
}

/// One direction between two regions.
#[derive(Debug)]
pub(super) struct Line {
    began: Instant,
    cut: AtomicBool,
    // As its topology made it, for when it is healed.
    made: Shape,
    altered: AtomicBool,
    counts: Counts,
    under_way: Mutex<UnderWay>,
    earlier: Notify,
}

/// What became of a line's packets so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Handed on.
    pub(super) passed: AtomicU64,
    /// Taken by the dice, by a full queue or for their length.
    pub(super) dropped: AtomicU64,
    /// Met a cut.
    pub(super) cut: AtomicU64,
}

#[derive(Debug)]
struct UnderWay {
    shape: Shape,
    // By time of arrival; the number keeps those apart that arrive together, in the order they came.
    packets: BTreeMap<(Duration, u64), Packet>,
    number: u64,
}

impl Line {
    pub(super) fn new(shape: Shape) -> Self {
        let made = shape.clone();
        let under_way = UnderWay { shape, packets: BTreeMap::new(), number: 0 };
        Self {
            began: Instant::now(),
            cut: AtomicBool::new(false),
            made,
            altered: AtomicBool::new(false),
            counts: Counts::default(),
            under_way: Mutex::new(under_way),
            earlier: Notify::new(),
        }
    }

    /// Cuts the line, packets under way included, or mends it.
    pub(super) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    /// Changes the weather on it, for packets that come in from here on.
    pub(super) fn alter(&self, change: Change) {
        self.altered.store(true, Relaxed);
        self.lock().shape.alter(change);
    }

    /// Makes it again what its topology says. Says whether that changed anything.
    pub(super) fn restore(&self) -> bool {
        let mut under_way = self.lock();
        let mut made = self.made.clone();
        made.follow(&under_way.shape);
        under_way.shape = made;
        self.altered.swap(false, Relaxed)
    }

    /// Whether it is not what its topology says.
    pub(super) fn is_altered(&self) -> bool {
        self.altered.load(Relaxed)
    }

    /// How long a packet is under way, how much chance adds, and of a hundred how many are lost.
    pub(super) fn weather(&self) -> (Duration, Duration, f64) {
        self.lock().shape.weather()
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many packets are in the line.
    pub(super) fn under_way(&self) -> usize {
        self.lock().packets.len()
    }

    /// Takes a packet in, or drops it as a router would: without a word.
    pub(super) fn push(&self, packet: Packet) {
        if self.is_cut() {
            self.counts.cut.fetch_add(1, Relaxed);
            return;
        }
        let now = self.began.elapsed();
        let mut under_way = self.lock();
        let waiting = under_way.packets.len();
        match under_way.shape.fate(now, packet.bytes.len(), waiting) {
            Fate::Arrives { at, copy } => {
                let next = under_way.packets.first_key_value().map(|((at, _), _)| *at);
                if let Some(copy) = copy {
                    under_way.insert(copy, packet.clone());
                }
                under_way.insert(at, packet);
                if next.is_none_or(|next| at < next) {
                    self.earlier.notify_one();
                }
            }
            Fate::Lost | Fate::Full | Fate::TooLong => {
                self.counts.dropped.fetch_add(1, Relaxed);
            }
        }
    }

    /// Hands packets on when their time has come, for ever.
    pub(super) async fn run(&self) {
        loop {
            let next = self.lock().packets.first_key_value().map(|((at, _), _)| *at);
            match next {
                None => self.earlier.notified().await,
                Some(at) if at > self.began.elapsed() => tokio::select! {
                    () = sleep_until(self.began + at) => {}
                    () = self.earlier.notified() => {}
                },
                Some(_) => self.hand_on_first().await,
            }
        }
    }

    async fn hand_on_first(&self) {
        let first = self.lock().packets.pop_first();
        let Some((_, packet)) = first else { return };
        if self.is_cut() {
            self.counts.cut.fetch_add(1, Relaxed);
            return;
        }
        // Counted first, so that whoever has received it finds it counted.
        self.counts.passed.fetch_add(1, Relaxed);
        // A receiver that is down refuses; to the sender that is one more lost packet.
        let _ = packet.by.send_to(&packet.bytes, packet.to).await;
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().expect("nothing panics while it holds the packets")
    }
}

impl UnderWay {
    fn insert(&mut self, at: Duration, packet: Packet) {
        self.number += 1;
        self.packets.insert((at, self.number), packet);
    }
}
