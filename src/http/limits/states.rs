//! The states of a rate, one for each key, and no more than fit.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use governor::{
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};

/// How many keys a rate keeps apart: some ten megabytes. Beyond it, whoever is not among them shares one
/// state with all others who are not, until those that have been quiet are forgotten.
pub const STATES_MAX: usize = 100_000;

/// Governor's own store has no bound.
#[derive(Debug)]
pub(super) struct States<K> {
    max: usize,
    inner: Mutex<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    /// When each will have used up nothing, since the rate began.
    states: HashMap<K, Nanos>,
    /// The same of all who found no room.
    others: Option<Nanos>,
}

impl<K> States<K> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, inner: Mutex::new(Inner { states: HashMap::new(), others: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> StateStore for States<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut inner = self.lock();
        if let Some(state) = inner.states.get_mut(key) {
            let (told, after) = judge(Some(*state))?;
            *state = after;
            return Ok(told);
        }
        if inner.states.len() < self.max {
            let (told, after) = judge(None)?;
            inner.states.insert(key.clone(), after);
            return Ok(told);
        }
        let (told, after) = judge(inner.others)?;
        inner.others = Some(after);
        Ok(told)
    }
}

impl<K: Clone + Eq + Hash> ShrinkableKeyedStateStore<K> for States<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().states.retain(|_, state| *state > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.lock().states.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.lock().states.len()
    }

    fn is_empty(&self) -> bool {
        self.lock().states.is_empty()
    }
}
