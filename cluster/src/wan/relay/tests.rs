use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::*;

/// Long enough for a busy machine, and only ever waited for when something is wrong or nothing may come.
const PATIENCE: Duration = Duration::from_secs(10);
const NOTHING_CAME: Duration = Duration::from_millis(200);

/// Two nodes that are no more than a socket each.
struct World {
    topology: Topology,
    relay: Relay,
    nodes: Vec<UdpSocket>,
}

async fn world(line: &str) -> World {
    let text = format!(
        "cluster = 'demo'\n[[regions]]\nname = 'eu'\n[[regions]]\nname = 'us'\n[[lines]]\nfrom = 'eu'\nto = 'us'\n{line}"
    );
    let topology = Topology::parse(&text).expect("a topology of two");
    let mut nodes = Vec::new();
    let mut listens = BTreeMap::new();
    for name in topology.nodes() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
        listens.insert(name, socket.local_addr().expect("a bound socket has an address"));
        nodes.push(socket);
    }
    let relay = Relay::open(&topology, &listens).expect("loopback has free ports");
    World { topology, relay, nodes }
}

impl World {
    async fn send(&self, from: usize, to: usize, text: &str) {
        let names = self.topology.nodes();
        let address = self.relay.address(&names[from], &names[to]).expect("a WAN lies between");
        self.nodes[from].send_to(text.as_bytes(), address).await.expect("loopback takes a packet");
    }

    async fn receive(&self, at: usize, patience: Duration) -> Option<(String, SocketAddr)> {
        let mut buffer = [0; 2_048];
        let (length, from) = timeout(patience, self.nodes[at].recv_from(&mut buffer)).await.ok()?.ok()?;
        Some((String::from_utf8_lossy(&buffer[..length]).into_owned(), from))
    }

    fn way(&self) -> Way {
        self.topology.ways().remove(0)
    }
}

#[tokio::test]
async fn a_packet_arrives_after_the_delay_from_the_address_its_sender_is_known_under() {
    let world = world("delay_ms = 30").await;
    let began = Instant::now();
    world.send(0, 1, "hello").await;
    let (text, from) = world.receive(1, PATIENCE).await.expect("nothing is lost on this line");
    assert!(began.elapsed() >= Duration::from_millis(30));
    assert_eq!(text, "hello");
    let names = world.topology.nodes();
    assert_eq!(Some(from), world.relay.address(&names[1], &names[0]));

    world.nodes[1].send_to(b"and back", from).await.expect("loopback takes a packet");
    let (text, from) = world.receive(0, PATIENCE).await.expect("nothing is lost on this line");
    assert_eq!(text, "and back");
    assert_eq!(Some(from), world.relay.address(&names[0], &names[1]));
}

#[tokio::test]
async fn a_line_cut_one_way_carries_the_other_way() {
    let world = world("").await;
    assert!(world.relay.cut(&world.way()));
    assert!(!world.relay.cut(&world.way()), "it is cut already");
    world.send(0, 1, "never").await;
    world.send(1, 0, "still").await;
    assert_eq!(world.receive(0, PATIENCE).await.expect("this way is whole").0, "still");
    assert_eq!(world.receive(1, NOTHING_CAME).await, None);
    assert!(world.relay.weather()[&world.way()].cut);

    assert!(world.relay.heal(&world.way()));
    world.send(0, 1, "again").await;
    assert_eq!(world.receive(1, PATIENCE).await.expect("it is healed").0, "again");
    assert_eq!(world.relay.traffic()[&world.way()], Traffic { passed: 1, dropped: 0, cut: 1, under_way: 0 });
}

#[tokio::test]
async fn a_cut_also_takes_the_packets_that_are_under_way() {
    let world = world("delay_ms = 100").await;
    world.send(0, 1, "under way").await;
    while world.relay.traffic()[&world.way()].under_way == 0 {
        tokio::task::yield_now().await;
    }
    world.relay.cut(&world.way());
    assert_eq!(world.receive(1, NOTHING_CAME).await, None);
    assert_eq!(world.relay.traffic()[&world.way()].cut, 1);
}

#[tokio::test]
async fn a_stranger_at_the_relays_door_is_not_let_through() {
    let world = world("").await;
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a free port");
    let names = world.topology.nodes();
    let door = world.relay.address(&names[0], &names[1]).expect("a WAN lies between");
    stranger.send_to(b"let me in", door).await.expect("loopback takes a packet");
    world.send(0, 1, "known").await;
    assert_eq!(world.receive(1, PATIENCE).await.expect("nothing is lost on this line").0, "known");
}
