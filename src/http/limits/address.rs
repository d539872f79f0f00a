//! The address by which a client's requests are counted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// What a client may be expected to have for itself: an address, or in IPv6 a network of /64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Neighbourhood(IpAddr);

impl Neighbourhood {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                Self(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

/// Finds whom a request comes from. `None` is nobody to count: this machine, or a proxy that is trusted and
/// does not say.
///
/// Each proxy adds whom it heard to the right of `X-Forwarded-For`. What stands left of the first that is
/// not trusted may be made up.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<Neighbourhood> {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = peer.to_canonical();
    if !is_trusted(&peer) {
        return (!peer.is_loopback()).then(|| Neighbourhood::of(peer));
    }
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let named: Vec<_> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    let foremost = named.into_iter().rev().map(parse).find(|it| !it.as_ref().is_some_and(is_trusted));
    foremost.flatten().map(Neighbourhood::of)
}

fn parse(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_the_last_that_a_trusted_proxy_names_and_is_none_itself() {
        let trusted = ["10.0.0.0/8".parse().expect("a network"), "127.0.0.1/32".parse().expect("a network")];
        let check = |peer: &str, forwarded: &[&str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().expect("a value"));
            }
            let found = client(peer.parse().expect("an address"), &headers, &trusted);
            let expected = expected.map(|text| Neighbourhood::of(text.parse().expect("an address")));
            assert_eq!(found, expected, "{peer} {forwarded:?}");
        };
        check("192.0.2.1", &[], Some("192.0.2.1"));
        check("192.0.2.1", &["203.0.113.9"], Some("192.0.2.1"));
        check("::ffff:192.0.2.1", &[], Some("192.0.2.1"));
        check("::1", &[], None);
        check("127.0.0.2", &["203.0.113.9"], None);
        check("10.1.1.1", &[], None);
        check("10.1.1.1", &["203.0.113.9"], Some("203.0.113.9"));
        check("127.0.0.1", &["203.0.113.9:4711"], Some("203.0.113.9"));
        check("10.1.1.1", &["198.51.100.1, 203.0.113.9, 10.2.2.2"], Some("203.0.113.9"));
        check("10.1.1.1", &["198.51.100.1", "203.0.113.9"], Some("203.0.113.9"));
        check("10.1.1.1", &["203.0.113.9, unknown"], None);
        check("10.1.1.1", &["10.2.2.2"], None);
        check("10.1.1.1", &["2001:db8:1:2:3:4:5:6"], Some("2001:db8:1:2::"));
        check("10.1.1.1", &["[2001:db8:1:2::7]:80"], Some("2001:db8:1:2::"));
    }
}
