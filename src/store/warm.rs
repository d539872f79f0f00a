//! Titles in memory, over a store that has them all.
//!
//! A title is asked for several times with each report, by the door, the merge and the answer, and reports
//! of one title come every few seconds: the store would find and decode the same registers again and again.
//! Whoever looks at a title leaves it here, and the one owner keeps it true with every commit.
//!
//! Who loads a title while the owner commits to it may have read the state before; the commit takes such a
//! load's place away, so that nothing stays here that a commit has overtaken.

use std::{ops::Range, sync::Arc};

use quick_cache::{DefaultHashBuilder, Weighter, sync::Cache, sync::DefaultLifecycle};

use crate::{
    crdt::{ContentId, Key, ProfileId, Register, Slot, Span, Timestamp, TitleId, VersionVector},
    store::{Batch, Durability, Read, Store, StoreError, WholeTitle},
};

/// How many bytes of titles are kept; beyond it those go that have not been asked for the longest.
pub const WARM_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Rule of thumb for a title with one session: its ids, its register, and what the two are kept in.
const TITLE_BYTES: u64 = 512;

type Titles = Cache<TitleId, Arc<[(Slot, Register)]>, ByBytes>;

/// A store, or a reader beside it, with the titles that were looked at lately in memory.
///
/// All that share the titles see each commit from the moment it returns, as they would without.
#[derive(Clone)]
pub struct Warm<S> {
    store: S,
    titles: Arc<Titles>,
}

impl<S> Warm<S> {
    /// Keeps the titles of a store that nobody else writes to.
    pub fn new(store: S) -> Self {
        let items = usize::try_from(WARM_BYTES_MAX / TITLE_BYTES).unwrap_or(usize::MAX);
        let titles = Cache::with(
            items,
            WARM_BYTES_MAX,
            ByBytes,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self { store, titles: Arc::new(titles) }
    }

    /// Lends the same titles to a reader of the same store.
    pub fn beside<R>(&self, reader: R) -> Warm<R> {
        Warm { store: reader, titles: Arc::clone(&self.titles) }
    }

    /// What it reads where memory does not have it.
    pub fn cold(&self) -> &S {
        &self.store
    }
}

impl<S: Read> Warm<S> {
    fn look(&self, title: &TitleId) -> Result<Arc<[(Slot, Register)]>, StoreError> {
        self.titles.get_or_insert_with(title, || Ok(self.store.title(title)?.into()))
    }
}

impl<S: Read> Read for Warm<S> {
    fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
        let title = self.look(&key.title)?;
        let at = title.binary_search_by(|(slot, _)| slot.cmp(&key.slot));
        Ok(at.ok().map(|at| title[at].1.clone()))
    }

    fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
        Ok(self.look(title)?.to_vec())
    }

    fn titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<TitleId>, StoreError> {
        self.store.titles(profile, after, limit)
    }

    /// Past the titles in memory: whoever lists a profile would put out what is asked for all the time.
    fn whole_titles(
        &self,
        profile: &ProfileId,
        after: Option<&ContentId>,
        limit: usize,
    ) -> Result<Vec<WholeTitle>, StoreError> {
        self.store.whole_titles(profile, after, limit)
    }

    /// Past the titles in memory, which are about those who watch.
    fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
        self.store.shards(shards)
    }

    fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
        self.store.changes(span, limit)
    }

    fn vector(&self) -> Result<VersionVector, StoreError> {
        self.store.vector()
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.note(name)
    }
}

impl<S: Store> Store for Warm<S> {
    fn commit(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let committed = self.store.commit(batch, durability);
        let changed: Vec<_> = batch.registers.iter().collect();
        for title in changed.chunk_by(|(one, _), (next, _)| one.title == next.title) {
            self.overtake(&title[0].0.title, title, committed.is_ok());
        }
        committed
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.store.sync()
    }
}

impl<S: Store> Warm<S> {
    /// Keeps a title true that a commit has changed. One that is being loaded is let go, and so is one of
    /// which nobody knows what stands.
    fn overtake(&self, title: &TitleId, changes: &[(&Key, &Option<Register>)], is_known: bool) {
        let standing = self.titles.peek(title).filter(|_| is_known);
        let Some(standing) = standing else {
            self.titles.remove(title);
            return;
        };
        let mut registers = standing.to_vec();
        for &(key, change) in changes {
            let at = registers.binary_search_by(|(slot, _)| slot.cmp(&key.slot));
            match (at, change.as_ref().filter(|register| register.is_sound(key))) {
                (Ok(at), Some(register)) => registers[at].1 = register.clone(),
                (Ok(at), None) => drop(registers.remove(at)),
                (Err(at), Some(register)) => registers.insert(at, (key.slot, register.clone())),
                (Err(_), None) => {}
            }
        }
        self.titles.insert(title.clone(), registers.into());
    }
}

/// Weighs a title by what it takes in memory.
#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<TitleId, Arc<[(Slot, Register)]>> for ByBytes {
    fn weight(&self, title: &TitleId, registers: &Arc<[(Slot, Register)]>) -> u64 {
        /// The cache's own entry, and the counts beside what is shared.
        const OVERHEAD: usize = 128;
        let ids = title.profile.as_str().len() + title.content.as_str().len();
        let each = size_of::<(Slot, Register)>() + 2 * size_of::<usize>();
        let values: usize = registers.iter().map(|(_, register)| register.value.len() + each).sum();
        u64::try_from(OVERHEAD + ids + values).unwrap_or(u64::MAX)
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for Warm<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warm").field("store", &self.store).field("titles", &self.titles.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{
        crdt::{Dot, Origin, Stamp, WallTime},
        store::{MemoryStore, contract},
    };

    #[test]
    fn it_keeps_the_contract_of_a_store_and_answers_like_plain_maps() {
        contract::check(|| Warm::new(MemoryStore::default()));
        for seed in 1..=3 {
            contract::check_model(Warm::new(MemoryStore::default()), seed, |store| store);
        }
    }

    /// What a reader found before a commit, told after it.
    struct Late<'a> {
        found: MemoryStore,
        meanwhile: Mutex<Option<Box<dyn FnOnce() + 'a>>>,
    }

    impl Read for Late<'_> {
        fn title(&self, title: &TitleId) -> Result<Vec<(Slot, Register)>, StoreError> {
            let found = self.found.title(title);
            if let Some(commit) = self.meanwhile.lock().expect("nothing has panicked").take() {
                commit();
            }
            found
        }

        fn register(&self, key: &Key) -> Result<Option<Register>, StoreError> {
            self.found.register(key)
        }

        fn titles(&self, p: &ProfileId, a: Option<&ContentId>, n: usize) -> Result<Vec<TitleId>, StoreError> {
            self.found.titles(p, a, n)
        }

        fn shards(&self, shards: Range<u16>) -> Result<Vec<(Key, Register)>, StoreError> {
            self.found.shards(shards)
        }

        fn changes(&self, span: Span, limit: usize) -> Result<Vec<(Timestamp, Key)>, StoreError> {
            self.found.changes(span, limit)
        }

        fn vector(&self) -> Result<VersionVector, StoreError> {
            self.found.vector()
        }

        fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
            self.found.note(name)
        }
    }

    fn batch(key: &Key, n: u64) -> Batch {
        let stamp = Stamp { time: WallTime::from_ms(n), counter: 0, writer: [1; 16] };
        let dot = Dot { origin: Origin::from_random(1), version: Timestamp::from_u64(n) };
        let register = Register::seal(key, stamp, dot, n.to_be_bytes().as_slice().into());
        Batch { registers: [(key.clone(), Some(register))].into(), ..Batch::default() }
    }

    #[test]
    fn what_was_loaded_before_a_commit_does_not_stay_after_it() {
        let key = TitleId::parse("ann", "film").expect("ids").key(Slot::FIRST);
        let mut owner = Warm::new(MemoryStore::default());
        owner.commit(&batch(&key, 1), Durability::Process).expect("it is in memory");
        let found = owner.cold().clone();
        let reader = owner.beside(Late { found, meanwhile: Mutex::default() });
        let commit = || owner.commit(&batch(&key, 2), Durability::Process).expect("it is in memory");
        *reader.cold().meanwhile.lock().expect("nothing has panicked") = Some(Box::new(commit));
        let read =
            |store: &dyn Read| store.title(&key.title).expect("it is in memory")[0].1.stamp.time.as_ms();
        assert_eq!(read(&reader), 1, "it began before the commit");
        drop(reader);
        assert_eq!(read(&owner), 2, "and nobody else sees it any more");
    }
}
