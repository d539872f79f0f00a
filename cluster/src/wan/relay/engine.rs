//! The thread that carries the packets.
//!
//! On the threads that thousands of viewers share, a packet would wait behind them, and the line would be slow for no
//! reason that its topology names.

use std::{future::Future, io};

use tokio::runtime::{Builder, Handle, Runtime};

/// A thread with the tasks of one relay. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Engine {
    // Always there until the drop.
    runtime: Option<Runtime>,
}

impl Engine {
    pub(super) fn start() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("relay").enable_all().build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs a task on the thread, for as long as there is work for it.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle().spawn(task);
    }

    /// What is made while the guard lives, belongs to the thread.
    pub(super) fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("it goes with the drop").handle()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops it may be a task itself, and must not wait.
            runtime.shutdown_background();
        }
    }
}
