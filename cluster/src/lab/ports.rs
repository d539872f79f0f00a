//! Ports that stay free while their node is down.

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Where Linux begins to hand out ports by itself, unless told otherwise.
const EPHEMERAL_FROM: u16 = 32_768;

/// Below lie the ports that services are registered for most densely.
const FROM: u16 = 10_000;

/// With thousands to draw from, a machine that refuses this many in a row refuses them all.
const DRAWS_MAX: usize = 1_000;

/// Draws free ports, each once.
///
/// A node that is killed has to find its port free when it starts again. One that the kernel handed out (by binding
/// port 0) may meanwhile have become the near end of any connection on this machine, those of the
/// viewers first; one from below that range is taken only by who asks for it by number.
#[derive(Debug)]
pub(super) struct Ports {
    from: Range<u16>,
    drawn: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn new() -> Self {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let first =
            text.split_whitespace().next().and_then(|port| port.parse().ok()).unwrap_or(EPHEMERAL_FROM);
        // A machine that hands out almost everything leaves nothing below; then any port has to do.
        let from = if first > FROM + 1_000 { FROM..first } else { FROM..u16::MAX };
        Self { from, drawn: BTreeSet::new() }
    }

    /// A free loopback address for TCP: at `wish`, if that is not 0 and free.
    pub(super) fn tcp(&mut self, wish: u16) -> Result<SocketAddr> {
        let free = |address| TcpListener::bind(address).is_ok();
        let wished = SocketAddr::from((Ipv4Addr::LOCALHOST, wish));
        if wish != 0 && free(wished) && self.drawn.insert(wish) {
            return Ok(wished);
        }
        self.draw(free)
    }

    /// A free loopback address for UDP.
    pub(super) fn udp(&mut self) -> Result<SocketAddr> {
        self.draw(|address| UdpSocket::bind(address).is_ok())
    }

    fn draw(&mut self, free: impl Fn(SocketAddr) -> bool) -> Result<SocketAddr> {
        let mut dice = SmallRng::from_os_rng();
        let drawn = &mut self.drawn;
        (0..DRAWS_MAX)
            .map(|_| dice.random_range(self.from.clone()))
            .find(|&port| free((Ipv4Addr::LOCALHOST, port).into()) && drawn.insert(port))
            .map(|port| (Ipv4Addr::LOCALHOST, port).into())
            .context("no free port on loopback")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_drawn_once_and_a_wish_is_granted_while_it_is_free() {
        let mut ports = Ports::new();
        let wish = Ports::new().tcp(0).expect("a port is free").port();
        assert_eq!(ports.tcp(wish).expect("nobody took it").port(), wish);

        let drawn: BTreeSet<_> =
            (0..50).map(|_| ports.tcp(wish).expect("50 ports are free").port()).collect();
        assert_eq!(drawn.len(), 50);
        assert!(!drawn.contains(&wish));
    }
}
