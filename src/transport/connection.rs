//! A QUIC connection that remembers why this side closed it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use quinn::{ConnectionError, VarInt};

use crate::transport::end::{LinkEnd, REASON_BYTES_MAX};

/// One QUIC connection, which remembers why this side closed it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) quic: quinn::Connection,
    decided: Arc<OnceLock<LinkEnd>>,
    patience: Duration,
}

impl Connection {
    pub(super) fn new(quic: quinn::Connection, patience: Duration) -> Self {
        Self { quic, decided: Arc::default(), patience }
    }

    /// Closes the connection for `end`, unless it has ended before.
    pub(super) fn close(&self, end: LinkEnd) {
        if self.quic.close_reason().is_some() {
            return;
        }
        let end = self.decided.get_or_init(|| end);
        let mut reason = end.reason();
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        self.quic.close(VarInt::from_u32(end.code()), reason.as_bytes());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.quic.close_reason().is_some()
    }

    /// Waits for the end and tells it.
    pub(super) async fn ended(&self) -> LinkEnd {
        let error = self.quic.closed().await;
        match self.decided.get() {
            Some(end) if error == ConnectionError::LocallyClosed => end.clone(),
            _ => LinkEnd::from_quic(&error, self.patience),
        }
    }
}
