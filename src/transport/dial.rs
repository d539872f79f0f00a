//! Dialling: one loop a name, which sees to it that a link stands as long as somebody wants it.
//!
//! ```text
//!              ┌──────────────────────────────────────────────────┐
//!              ▼                                                  │
//!     does a link stand? ──no──► dial ──► its link lives ──┐      │
//!              │                   └───── failed ──────────┼──► pause, anything up to
//!              └──yes──► wait until it has ended ──────────┘    100 ms × 2ⁿ ≤ 5 s
//! ```

use std::{net::SocketAddr, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{
    net::lookup_host,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::transport::{
    LinkEnd, NodeName, PeerAddress,
    connection::Connection,
    endpoint::Shared,
    meet::{HELLO_TIMEOUT, Turned, meet},
};

/// How many dials are under way at a time, over all peers: enough for every region at once, and no storm
/// where a list of peers is long and all of them are gone.
pub const DIALS_MAX: usize = 16;

/// Sees to it, as long as it is polled, that a link with `name` stands; without an address it waits for one.
pub(super) async fn keep_linked(
    shared: &Shared,
    name: &NodeName,
    mut wanted: watch::Receiver<Option<String>>,
) {
    let mut backoff = Backoff::new(shared.backoff_min, shared.backoff_max);
    for attempt in 0.. {
        let started = Instant::now();
        let Ok(address) =
            wanted.wait_for(Option::is_some).await.map(|address| address.clone().unwrap_or_default())
        else {
            return;
        };
        let peer = &PeerAddress { name: name.clone(), address };
        if shared.peers.stands(&peer.name) {
            // The peer was quicker, or decided for its own connection: nothing to do while that stands.
            shared.peers.vacant(&peer.name).await;
        } else {
            dial(shared, peer, attempt).await;
        }
        // Links that end as soon as they stand are failures too, whoever dialled them.
        if started.elapsed() >= shared.backoff_max {
            backoff.reset();
        }
        sleep(backoff.pause()).await;
    }
}

/// Dials once, and lives the life of the link that may come of it.
async fn dial(shared: &Shared, peer: &PeerAddress, attempt: usize) {
    let mut address = None;
    let met = {
        let _permit = shared.dials.acquire().await.expect("the semaphore is never closed");
        shared.peers.dialing(&peer.name, None);
        let met = connect(shared, peer, attempt, &mut address).await;
        let met = match met {
            Ok(connection) => meet(shared, &connection, Some(&peer.name)).await,
            Err(end) => Err(Turned { end, name: Some(peer.name.clone()) }),
        };
        shared.peers.dialled(&peer.name);
        met
    };
    match met {
        Ok(seat) => seat.live(shared).await,
        Err(Turned { end, .. }) => shared.peers.turned_away(Some(&peer.name), address, &end),
    }
}

async fn connect(
    shared: &Shared,
    peer: &PeerAddress,
    attempt: usize,
    dialled: &mut Option<SocketAddr>,
) -> Result<Connection, LinkEnd> {
    let connecting = async {
        let usable = resolve(shared, &peer.address).await?;
        // The next of what the name stands for, at each attempt.
        let address = usable[attempt % usable.len()];
        *dialled = Some(address);
        shared.peers.dialing(&peer.name, Some(address));
        let connecting = shared
            .endpoint
            .connect_with(shared.client.clone(), address, &peer.name.to_string())
            .map_err(|error| LinkEnd::Lost(error.to_string()))?;
        connecting.await.map_err(|error| LinkEnd::from_quic(&error, shared.patience))
    };
    let connected = timeout(HELLO_TIMEOUT, connecting).await;
    Ok(Connection::new(connected.unwrap_or(Err(LinkEnd::Silent(HELLO_TIMEOUT)))?, shared.patience))
}

/// Resolves an address again, to at least one that this node's socket can reach.
pub(super) async fn resolve(shared: &Shared, address: &str) -> Result<Vec<SocketAddr>, LinkEnd> {
    let found = lookup_host(address)
        .await
        .map_err(|error| LinkEnd::Lost(format!("cannot resolve {address}: {error}")))?;
    // A socket of the fourth version reaches no address of the sixth; the other way round it is mapped.
    let usable: Vec<_> = found.filter(|found| found.is_ipv4() || shared.local.is_ipv6()).collect();
    if usable.is_empty() {
        return Err(LinkEnd::Lost(format!("{address} has no address that {} can reach", shared.local)));
    }
    Ok(usable)
}

/// Exponential backoff with full jitter: each pause is anything between nothing and a ceiling that doubles,
/// so that peers of a node that comes back do not come all at once.
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
    rng: SmallRng,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, failures: 0, rng: SmallRng::from_os_rng() }
    }

    fn reset(&mut self) {
        self.failures = 0;
    }

    pub(super) fn pause(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let ceiling = self.min.saturating_mul(factor).min(self.max);
        self.failures = self.failures.saturating_add(1);
        self.rng.random_range(Duration::ZERO..=ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_under_a_ceiling_that_doubles_and_begin_anew_after_a_reset() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut backoff = Backoff::new(min, max);
        for _ in 0..2 {
            for ceiling_ms in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
                assert!(backoff.pause() <= Duration::from_millis(ceiling_ms));
            }
            let later: Vec<_> = (0..100).map(|_| backoff.pause()).collect();
            assert!(later.iter().all(|pause| *pause <= max));
            assert!(later.iter().any(|pause| *pause > max / 2), "jitter over the whole stretch");
            assert!(later.iter().any(|pause| *pause < max / 2), "jitter over the whole stretch");
            backoff.reset();
        }
    }
}
