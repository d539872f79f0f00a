//! The loop that accepts connections, and bounds what each may cost.
//!
//! A framework's ready-made loop has no bound on connections, on the size of a head, or on how long one may
//! take to come; each of those is a way to hold a node up with nothing but patience.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::http::lanes::Lanes;

/// How many connections are open at a time, where the process may open as many files. Whoever comes
/// beyond it waits in the system's queue until another leaves. Streams take [`STREAMS_MAX`](super::STREAMS_MAX)
/// of them at most.
pub const CONNECTIONS_MAX: usize = 16_384;

/// How long a head may take to come, and how long a connection may stand idle before the next one.
pub const HEAD_WITHIN: Duration = Duration::from_mins(1);

/// The longest head: the longest path, a token, and a browser's own headers several times over.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How many headers a head may have.
pub const HEADERS_MAX: usize = 64;

/// How long requests in hand may take to end when the node leaves.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(4);

/// How long nothing is accepted after the system would not give a connection: too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Who connected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

const _: () = assert!(HEAD_BYTES_MAX >= 8_192, "the server's own least");

/// Serves players until `stop` comes; then the listener closes, and the requests in hand are answered
/// within [`LEAVE_WITHIN`].
///
/// At most `connections` are open at a time; [`CONNECTIONS_MAX`] is a good measure.
///
/// # Panics
/// Never: the semaphore of connections is not closed while the server runs.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    lanes: Lanes,
    stop: impl Future<Output = ()>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let room = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
            (accept(&listener).await, permit)
        };
        let ((stream, peer), permit) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let (router, builder, watcher) = (router.clone(), builder.clone(), graceful.watcher());
        lanes.put(async move {
            // In the lane's own runtime, which then watches the stream. One that cannot be is gone.
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let service = service_fn(move |request| answer(router.clone(), request, peer));
            let connection = watcher.watch(builder.serve_connection(TokioIo::new(stream), service));
            // It fails where the other side has gone or sends no HTTP, and there is nobody to tell.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    if timeout(LEAVE_WITHIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not answered within {LEAVE_WITHIN:?}");
    }
    lanes.end().await;
}

/// Accepts a connection, and takes it out of the listener's runtime.
async fn accept(listener: &TcpListener) -> (std::net::TcpStream, Peer) {
    loop {
        let accepted = listener.accept().await;
        match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => {
                // Answers are small and each is awaited.
                let _ = stream.set_nodelay(true);
                return (stream, Peer(peer));
            }
            Err(why) => {
                tracing::warn!(%why, "no connection accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(
    mut router: Router,
    request: hyper::Request<Incoming>,
    peer: Peer,
) -> Result<axum::response::Response, Infallible> {
    use tower_service::Service;
    let mut request: Request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    router.call(request).await
}
