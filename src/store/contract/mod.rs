//! The suite that every store passes.
//!
//! The problem: a replica is proven against a store in memory and runs on one that is not. What holds the
//! two together is that both are asked the same questions. [`check`] asks the named ones, each with the
//! trap that it is about; [`check_model`] draws batches at random and compares everything that can be read
//! with plain maps, across reopening.
//!
//! Both panic where a store breaks the contract; a store's tests call them and nothing else does.

mod checks;
mod model;
mod samples;

pub use model::{STEPS, check_model};

use crate::store::Store;

/// Asks every named question of a fresh store each.
///
/// # Panics
/// Where a store breaks the contract.
///
/// ```
/// use playmark::store::{MemoryStore, contract};
///
/// contract::check(MemoryStore::default);
/// contract::check_model(MemoryStore::default(), 1, |store| store);
/// ```
pub fn check<S: Store>(mut make: impl FnMut() -> S) {
    for check in checks::all() {
        check(&mut make());
    }
}
