//! Whom to have a link with: whom the configuration names, and whom others have told of.
//!
//! The list is looked at as a whole each time it changes, and each name on it has a loop that sees to its link. A loop
//! whose name is off the list dials no more; a link that stands is left alone.

use std::{collections::BTreeMap, sync::Arc};

use tokio::{sync::watch, task::JoinSet};

use crate::transport::{NodeName, PeerAddress, dial, endpoint::Shared};

/// How many names are dialled: as many as links may stand. More are passed over, in the order of names.
pub const WANTED_MAX: usize = 256;

/// Tells a transport whom to dial beside those that it is configured with.
#[derive(Clone, Debug)]
pub struct Wanted {
    list: watch::Sender<Vec<PeerAddress>>,
}

impl Wanted {
    pub(super) fn new() -> (Self, watch::Receiver<Vec<PeerAddress>>) {
        let (list, changes) = watch::channel(Vec::new());
        (Self { list }, changes)
    }

    /// Replaces the list. Where the configuration gives an address for a name, that one is dialled.
    pub fn set(&self, peers: Vec<PeerAddress>) {
        self.list.send_if_modified(|list| {
            let is_new = *list != peers;
            *list = peers;
            is_new
        });
    }
}

/// Sees to the links with everybody on the list, as long as it is polled.
pub(super) async fn see_to(
    shared: Arc<Shared>,
    configured: Vec<PeerAddress>,
    mut wanted: watch::Receiver<Vec<PeerAddress>>,
) {
    let mut loops = JoinSet::new();
    let mut addresses = BTreeMap::<NodeName, watch::Sender<Option<String>>>::new();
    loop {
        let list = listed(&shared, &configured, &wanted.borrow_and_update());
        while loops.try_join_next().is_some() {}
        // Whose loop is told of no address, and then of nobody who could give one, ends with its link.
        addresses.retain(|name, address| {
            let now = list.get(name).cloned();
            let is_listed = now.is_some();
            if *address.borrow() != now {
                address.send_replace(now);
            }
            if !is_listed {
                shared.peers.expect_no_more(name);
            }
            is_listed
        });
        for (name, address) in list {
            if addresses.len() < WANTED_MAX && !addresses.contains_key(&name) {
                let (sender, receiver) = watch::channel(Some(address));
                addresses.insert(name.clone(), sender);
                let shared = Arc::clone(&shared);
                loops.spawn(async move { dial::keep_linked(&shared, &name, receiver).await });
            }
        }
        if wanted.changed().await.is_err() {
            // Nobody will add to the list any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Each name once, with the address that it is dialled at; this node's own is left out.
fn listed(shared: &Shared, configured: &[PeerAddress], told: &[PeerAddress]) -> BTreeMap<NodeName, String> {
    let others = told.iter().chain(configured).filter(|peer| peer.name != shared.hello.name);
    let list: BTreeMap<_, _> = others.map(|peer| (peer.name.clone(), peer.address.clone())).collect();
    for (name, address) in &list {
        shared.peers.expect(name, address);
    }
    list
}
