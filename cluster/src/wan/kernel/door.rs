//! A door into a node's namespace: who connects to the host's loopback is connected to the node's.
//!
//! A thread may live in another network namespace than its process. What it listens to was opened outside, what it
//! connects with is opened inside.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener as BlockingListener},
    os::fd::AsFd,
    path::Path,
    thread,
};

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
};

/// An open door; it closes when dropped.
#[derive(Debug)]
pub(super) struct Door {
    _open: oneshot::Sender<()>,
}

impl Door {
    /// Opens one at an address that means the same inside as outside: of loopback.
    pub(super) fn open(address: SocketAddr, namespace: &Path) -> Result<Self> {
        let listener = BlockingListener::bind(address).with_context(|| address.to_string())?;
        listener.set_nonblocking(true)?;
        let inside = File::open(namespace).with_context(|| namespace.display().to_string())?;
        let (open, closed) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        thread::Builder::new().name("door".to_owned()).spawn(move || {
            let entered = move_into_link_name_space(inside.as_fd(), Some(LinkNameSpaceType::Network));
            let stays = entered.is_ok();
            // Whoever opens the door waits for this.
            let _ = tell.send(entered);
            if stays {
                keep_open(listener, address, closed);
            }
        })?;
        told.recv().context("the thread of a door")?.with_context(|| namespace.display().to_string())?;
        Ok(Self { _open: open })
    }
}

fn keep_open(listener: BlockingListener, address: SocketAddr, closed: oneshot::Receiver<()>) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(listener) = TcpListener::from_std(listener) else { return };
        let serve = async {
            loop {
                // What cannot be accepted now is accepted later.
                let Ok((outside, _)) = listener.accept().await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                tokio::spawn(pass(outside, address));
            }
        };
        tokio::select! {
            () = serve => {}
            _ = closed => {}
        }
    });
}

/// Passes everything on both ways until one side ends; where nobody listens inside, nobody does outside.
async fn pass(mut outside: TcpStream, address: SocketAddr) {
    if let Ok(mut inside) = TcpStream::connect(address).await {
        let _ = (outside.set_nodelay(true), inside.set_nodelay(true));
        let _ = copy_bidirectional(&mut outside, &mut inside).await;
    }
}
