//! HTTP/1.1 to the nodes, over connections that are kept.
//!
//! The problem: a population of viewers asks tens of thousands of times a second from the very machine that answers, so
//! what a client costs is taken from what it measures. The mechanism: for each node a stack of idle connections, of which the one used
//! last is used next, so that few are open and all are warm. What was refused: a client for the whole web,
//! which costs as much as the node's answer.

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, client::conn::http1, header, http::HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

/// A node that has not answered by then has failed, for a player. Above the two seconds a node may wait on a `?after=`.
const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// A local process answers a handshake at once or is not there.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// Connections to one node; who comes when all are taken waits within its patience. Nine nodes stay below what a
/// process may have open by default on some systems only where not all are held up at once.
const CONNECTIONS_MAX: usize = 256;

/// The longest body that is read; a node's longest are the films of its console.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A client of any node. Cheap to clone; connections are shared.
#[derive(Clone, Default, Debug)]
pub(crate) struct Http {
    nodes: Arc<Mutex<BTreeMap<String, Arc<Lines>>>>,
}

/// The connections to one node.
#[derive(Debug)]
struct Lines {
    authority: String,
    idle: Mutex<Vec<Line>>,
    room: Semaphore,
}

type Line = http1::SendRequest<Full<Bytes>>;

/// Why nothing was answered: whether a request has had its effect is unknown.
#[derive(Debug)]
pub enum Unreachable {
    /// Nothing within the patience of a player.
    Late,
    /// No connection.
    Closed(io::Error),
    /// The connection broke, or what came over it is no answer.
    BrokeOff(Box<dyn std::error::Error + Send + Sync>),
}

impl Http {
    /// Sends a request, the URI of which is a path, to a node (`http://HOST:PORT`), and reads the whole answer.
    pub(crate) async fn exchange(
        &self,
        node: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, Unreachable> {
        let lines = self.lines(node);
        timeout(ANSWER_WITHIN, lines.exchange(request)).await.unwrap_or(Err(Unreachable::Late))
    }

    fn lines(&self, node: &str) -> Arc<Lines> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = nodes.get(node) {
            return Arc::clone(lines);
        }
        let lines = Arc::new(Lines {
            authority: node.strip_prefix("http://").unwrap_or(node).to_owned(),
            idle: Mutex::default(),
            room: Semaphore::new(CONNECTIONS_MAX),
        });
        nodes.insert(node.to_owned(), Arc::clone(&lines));
        lines
    }
}

impl Lines {
    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Unreachable> {
        let host = HeaderValue::from_str(&self.authority).map_err(broke_off)?;
        request.headers_mut().insert(header::HOST, host);
        let _room = self.room.acquire().await.expect("it is never closed");
        loop {
            let kept = self.idle().pop();
            let is_kept = kept.is_some();
            let mut line = match kept {
                Some(line) => line,
                None => self.connect().await?,
            };
            if is_kept && line.ready().await.is_err() {
                continue;
            }
            match line.try_send_request(request).await {
                Ok(answer) => return self.read(line, answer).await,
                // The node closed a connection just when it was to be used, and has seen nothing of the request.
                Err(mut failed) if is_kept => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broke_off(failed.into_error())),
                },
                Err(failed) => return Err(broke_off(failed.into_error())),
            }
        }
    }

    async fn connect(&self) -> Result<Line, Unreachable> {
        let stream = timeout(CONNECT_WITHIN, TcpStream::connect(&self.authority)).await;
        let stream = stream.unwrap_or_else(|late| Err(late.into())).map_err(Unreachable::Closed)?;
        stream.set_nodelay(true).map_err(Unreachable::Closed)?;
        let (line, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke_off)?;
        // Whoever waits for an answer is told how a connection ended.
        tokio::spawn(async { drop(connection.await) });
        Ok(line)
    }

    async fn read(
        &self,
        line: Line,
        answer: Response<hyper::body::Incoming>,
    ) -> Result<Response<Bytes>, Unreachable> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(Unreachable::BrokeOff)?;
        self.idle().push(line);
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broke_off(why: impl std::error::Error + Send + Sync + 'static) -> Unreachable {
    Unreachable::BrokeOff(Box::new(why))
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("no answer in time"),
            Self::Closed(_) => f.write_str("nobody listens"),
            Self::BrokeOff(why) => write!(f, "the answer broke off: {why}"),
        }
    }
}

impl std::error::Error for Unreachable {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use axum::{Router, extract::State, routing::post};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::*;

    async fn answers(State(asked): State<Arc<AtomicUsize>>, body: String) -> String {
        format!("{} {body}", asked.fetch_add(1, Relaxed))
    }

    /// A server that answers what it is told, with how often it was asked before.
    fn serve(listener: TcpListener, asked: Arc<AtomicUsize>) -> JoinHandle<()> {
        let app = Router::new().route("/echo", post(answers)).with_state(asked);
        tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") })
    }

    fn request(body: &'static str) -> Request<Full<Bytes>> {
        Request::post("/echo").body(Full::from(body)).expect("a plain request")
    }

    #[tokio::test]
    async fn a_connection_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (http, node) = (Http::default(), format!("http://{address}"));
        let asked = Arc::<AtomicUsize>::default();
        let server = serve(listener, Arc::clone(&asked));
        for expected in ["0 one", "1 one"] {
            let answer = http.exchange(&node, request("one")).await.expect("it answers");
            assert_eq!(answer.into_body(), expected);
        }
        assert_eq!(http.lines(&node).idle().len(), 1, "the second came over the connection of the first");
        server.abort();
    }

    #[tokio::test]
    async fn a_kept_connection_that_the_node_has_closed_is_made_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let node = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        // Answers one request a connection, and says nothing of closing it.
        let server = tokio::spawn(async move {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.expect("somebody connects");
                let mut asked = [0; 1_024];
                assert_ne!(stream.read(&mut asked).await.expect("it asks"), 0);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("it listens");
            }
        });
        let http = Http::default();
        http.exchange(&node, request("one")).await.expect("it answers");
        while !http.lines(&node).idle()[0].is_closed() {
            tokio::task::yield_now().await;
        }
        http.exchange(&node, request("two")).await.expect("over another connection");
        server.await.expect("both were answered");
    }

    #[tokio::test]
    async fn who_does_not_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let node = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let failed = Http::default().exchange(&node, request("one")).await;
        assert!(matches!(failed, Err(Unreachable::Late)), "{failed:?}");
    }
}
