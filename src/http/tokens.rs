//! Session tokens that have been verified, so that each is once and not with every report.
//!
//! What a token says never changes, nor whether it is the replica set's; whether it still holds is for the
//! door to say, with each report anew.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};

use crate::{
    crdt::WallTime,
    playback::{Claims, TokenError, TokenKeys},
};

/// How many bytes of tokens and claims are kept: those of some 16,000 sessions that report. Beyond it those
/// go that have not come for the longest, and are verified when they come again.
pub const TOKENS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Rule of thumb for a token and its claims.
const TOKEN_BYTES: u64 = 1_024;

/// Signs and verifies.
#[derive(Debug)]
pub(super) struct Tokens {
    keys: TokenKeys,
    verified: Cache<Box<str>, Arc<Claims>, ByBytes>,
}

impl Tokens {
    pub(super) fn new(keys: TokenKeys) -> Self {
        let items = usize::try_from(TOKENS_BYTES_MAX / TOKEN_BYTES).unwrap_or(usize::MAX);
        Self { keys, verified: Cache::with_weighter(items, TOKENS_BYTES_MAX, ByBytes) }
    }

    pub(super) fn sign(&self, claims: &Claims, now: WallTime) -> String {
        self.keys.sign(claims, now)
    }

    /// Reads a token's claims, if they are the replica set's.
    ///
    /// # Errors
    /// See [`TokenKeys::verify`].
    pub(super) fn verify(&self, text: &str, now: WallTime) -> Result<Arc<Claims>, TokenError> {
        if let Some(claims) = self.verified.get(text) {
            return Ok(claims);
        }
        let claims = Arc::new(self.keys.verify(text, now)?);
        self.verified.insert(text.into(), Arc::clone(&claims));
        Ok(claims)
    }
}

/// Weighs a token by what it and its claims take in memory.
#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Box<str>, Arc<Claims>> for ByBytes {
    fn weight(&self, text: &Box<str>, _: &Arc<Claims>) -> u64 {
        /// The cache's own entry, and the counts beside what is shared.
        const OVERHEAD: usize = 128;
        // The claims' texts are in the token too, a third longer.
        u64::try_from(OVERHEAD + size_of::<Claims>() + 2 * text.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::TitleId,
        playback::{Policy, Rights, SessionId, Shown},
    };

    #[test]
    fn a_token_that_is_known_says_the_same_again_and_no_other_is_taken_for_it() {
        let (now, later) = (WallTime::from_ms(1_700_000_000_000), WallTime::from_ms(1_700_000_009_000));
        let keys = TokenKeys::new(&[7; 32]).expect("long enough");
        let title = TitleId::parse("ann", "film").expect("both are ids");
        let (session, shown) = (SessionId::from_bytes([1; 16]), Shown::default());
        let claims = Claims::open(title, session, None, Rights::ALL, &shown, now, &Policy::default());
        let (tokens, text) = (Tokens::new(keys.clone()), keys.sign(&claims, now));
        assert_eq!(tokens.verify(&text, now).as_deref(), Ok(&claims));
        assert_eq!(tokens.verify(&text, later).as_deref(), Ok(&claims));
        let forged = Tokens::new(TokenKeys::new(&[8; 32]).expect("long enough")).sign(&claims, now);
        assert_eq!(tokens.verify(&forged, now), Err(TokenError::BadSignature));
        assert_eq!(tokens.verify(&forged, now), Err(TokenError::BadSignature), "a refusal is not kept");
        let changed = format!("{}A", &text[..text.len() - 1]);
        assert!(changed == text || tokens.verify(&changed, now).is_err());
    }
}
