//! Ports that stay ours while their node is down.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::net::TcpSocket;

/// Where Linux begins to hand out ports by itself, unless told otherwise.
const EPHEMERAL_FROM: u16 = 32_768;

/// Below lie the ports that services are registered for most densely.
const FROM: u16 = 10_000;

/// With thousands to draw from, a machine that refuses this many in a row refuses them all.
const DRAWS_MAX: usize = 1_000;

/// Draws free ports and keeps them for as long as it lives.
///
/// A node that is killed has to find its port free when it starts again, and several labs run at once. A port that
/// the kernel handed out (by binding port 0) may meanwhile have become the near end of any connection on this machine,
/// so these come from below that range. And each is held by a TCP socket that is bound and never listens: another
/// draw finds the number taken, while a node's listener, which allows the address to be reused as every server that
/// restarts does, stands beside it. For UDP the number is held in the same way, as a token.
#[derive(Debug)]
pub(crate) struct Ports {
    from: Range<u16>,
    held: Vec<TcpSocket>,
}

impl Ports {
    pub(super) fn new() -> Self {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let first =
            text.split_whitespace().next().and_then(|port| port.parse().ok()).unwrap_or(EPHEMERAL_FROM);
        // A machine that hands out almost everything leaves nothing below; then any port has to do.
        let from = if first > FROM + 1_000 { FROM..first } else { FROM..u16::MAX };
        Self { from, held: Vec::new() }
    }

    /// A free loopback address for TCP: at `wish`, if that is not 0 and nobody listens there.
    ///
    /// A wish is not held: nobody draws it, and holding it would fail for a minute after a node that listened there
    /// has ended, while its connections linger.
    pub(super) fn tcp(&mut self, wish: u16) -> Result<SocketAddr> {
        let wished = SocketAddr::from((Ipv4Addr::LOCALHOST, wish));
        if wish != 0 && TcpListener::bind(wished).is_ok() {
            return Ok(wished);
        }
        self.draw(|_| Ok(()))
    }

    /// A free loopback address for UDP.
    pub(crate) fn udp(&mut self) -> Result<SocketAddr> {
        self.draw(|address| UdpSocket::bind(address).map(drop))
    }

    fn draw(&mut self, also: impl Fn(SocketAddr) -> io::Result<()>) -> Result<SocketAddr> {
        let mut dice = SmallRng::from_os_rng();
        for _ in 0..DRAWS_MAX {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, dice.random_range(self.from.clone())));
            if also(address).is_ok() && self.hold(address).is_ok() {
                return Ok(address);
            }
        }
        None.context("no free port on loopback")
    }

    fn hold(&mut self, address: SocketAddr) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        // Bound before reuse is allowed, so that it fails beside anything else that is bound there.
        socket.bind(address)?;
        socket.set_reuseaddr(true)?;
        self.held.push(socket);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_held_is_nobody_elses_and_a_server_can_listen_there_again_and_again() {
        let mut ports = Ports::new();
        let address = ports.tcp(0).expect("a port is free");
        for _ in 0..2 {
            assert!(Ports::new().hold(address).is_err());
            let server = TcpListener::bind(address).expect("it is held for this");
            assert!(Ports::new().hold(address).is_err());
            drop(server);
        }
        drop(ports);
        assert!(Ports::new().hold(address).is_ok());
    }

    #[test]
    fn a_wish_is_granted_unless_somebody_listens_there() {
        let mut ports = Ports::new();
        let wish = ports.tcp(0).expect("a port is free");
        assert_eq!(ports.tcp(wish.port()).expect("nobody listens there"), wish);
        let _server = TcpListener::bind(wish).expect("nobody listens there");
        assert_ne!(ports.tcp(wish.port()).expect("another is free"), wish);
    }
}
