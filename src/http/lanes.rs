//! Threads that serve players, each with connections of its own.
//!
//! The problem: a runtime whose threads take each other's work moves a connection between cores with all that
//! it has in their caches, and wakes a second thread to answer what a first has committed. On a machine whose
//! cores are far from each other that costs as much as the report. The mechanism: a *lane* is a thread with a
//! runtime of its own, a connection stays in the lane where it was put, and a lane with the fewest of them gets
//! the next. What was refused: a listener for each lane on one port, where the system deals connections out by
//! a hash, unevenly, and those dealt to a thread that hangs are lost with it.

use std::{io, num::NonZero, sync::Arc, thread, time::Duration};

use tokio::{
    runtime::{self, Handle},
    sync::oneshot,
};

/// How long a lane that ends waits for what it has handed to threads that may block: a read of a slow device.
const THREADS_WITHIN: Duration = Duration::from_secs(2);

/// The threads that serve connections, one for each core. They end when this is dropped.
#[derive(Debug)]
pub struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    /// One copy is the lane's own; each connection holds another.
    places: Arc<()>,
    ends_when_dropped: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Lanes {
    /// Starts a lane for each core that the process may use.
    ///
    /// # Errors
    /// The system may not give a thread, or what its runtime waits with.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        (0..count).map(Lane::start).collect::<io::Result<_>>().map(Self)
    }

    /// Serves a connection in the lane that has the fewest, by the future that `serve` makes there.
    pub(super) fn put<F: Future<Output = ()> + Send + 'static>(&self, serve: F) {
        let lane = self.0.iter().min_by_key(|lane| Arc::strong_count(&lane.places));
        let lane = lane.expect("there is one for each core");
        let place = Arc::clone(&lane.places);
        lane.runtime.spawn(async move {
            serve.await;
            drop(place);
        });
    }

    /// Ends them all, with whatever they still serve; afterwards none of their threads is in the store.
    pub(super) async fn end(self) {
        let (ends, ended): (Vec<_>, Vec<_>) =
            self.0.into_iter().map(|lane| (lane.ends_when_dropped, lane.ended)).unzip();
        drop(ends);
        for ended in ended {
            // It says nothing, and goes.
            let _ = ended.await;
        }
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ends_when_dropped, end) = oneshot::channel();
        let (ends_with_thread, ended) = oneshot::channel();
        thread::Builder::new().name(format!("lane {number}")).spawn(move || {
            // Its sender says nothing, and goes.
            let _ = runtime.block_on(end);
            runtime.shutdown_timeout(THREADS_WITHIN);
            drop(ends_with_thread);
        })?;
        Ok(Self { runtime: handle, places: Arc::default(), ends_when_dropped, ended })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn each_next_connection_goes_where_the_fewest_are_and_stays_there() {
        let lanes = Lanes((0..2).map(|number| Lane::start(number).expect("a thread")).collect());
        let (told, mut heard) = mpsc::channel(8);
        let connection = |end: oneshot::Receiver<()>| {
            let told = told.clone();
            async move {
                let name = || thread::current().name().map(str::to_owned);
                let _ = told.send(name()).await;
                let _ = end.await;
                let _ = told.send(name()).await;
            }
        };
        let mut ends = Vec::new();
        let mut where_they_are = Vec::new();
        for _ in 0..4 {
            let (end, ended) = oneshot::channel();
            lanes.put(connection(ended));
            ends.push(end);
            where_they_are.push(heard.recv().await.flatten().expect("a name"));
        }
        where_they_are.sort();
        assert_eq!(where_they_are, ["lane 0", "lane 0", "lane 1", "lane 1"]);
        drop(ends);
        let mut where_they_ended = Vec::new();
        for _ in 0..4 {
            where_they_ended.push(heard.recv().await.flatten().expect("a name"));
        }
        where_they_ended.sort();
        assert_eq!(where_they_ended, where_they_are);
    }

    #[tokio::test]
    async fn what_is_still_served_ends_with_its_lane() {
        let lanes = Lanes(vec![Lane::start(0).expect("a thread")]);
        let (held, ended) = oneshot::channel::<()>();
        lanes.put(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        lanes.end().await;
        assert!(ended.await.is_err(), "nothing was said");
    }
}
