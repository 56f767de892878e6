//! Asks the store, off the loop: what many attempts want to know at one moment is one call.

use std::sync::Arc;

use smol::channel::{Receiver, Sender, bounded, unbounded};

use crate::cache::{CacheChange, CacheKey, CacheStore, Candidate, KeptContent};
use crate::event_loop::{EventLoop, Task, unblock};

/// The most questions of one call.
const MOST: usize = 256;
/// The most bytes of contents that one call reads: they wait in memory.
const MOST_BYTES: u64 = 4 << 20;

/// The store of a run, and the way to ask it. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::fetcher) struct RunCache {
    pub(in crate::fetcher) store: Arc<dyn CacheStore>,
    /// As many wait in it as attempts run at once.
    questions: Sender<Question>,
}

#[derive(Debug)]
enum Question {
    Find(CacheKey, Sender<Vec<Candidate>>),
    Load { id: i64, bytes: u64, answer: Sender<Option<KeptContent>> },
}

impl RunCache {
    /// Begins to ask this store, by a task of the loop.
    pub(in crate::fetcher) fn start(store: Arc<dyn CacheStore>, event_loop: &EventLoop) -> (RunCache, Task<()>) {
        let (questions, asked) = unbounded();
        let task = event_loop.spawn_named("cache", answer_all(store.clone(), asked));
        (RunCache { store, questions }, task)
    }

    /// What is kept by this key.
    pub(in crate::fetcher) async fn find(&self, key: CacheKey) -> Vec<Candidate> {
        let (answer, answered) = bounded(1);
        let _ = self.questions.try_send(Question::Find(key, answer));
        answered.recv().await.unwrap_or_default()
    }

    /// The content of a kept response, which has so many bytes; `None` if it is not kept any more.
    pub(in crate::fetcher) async fn load(&self, id: i64, bytes: u64) -> Option<KeptContent> {
        let (answer, answered) = bounded(1);
        let _ = self.questions.try_send(Question::Load { id, bytes, answer });
        answered.recv().await.ok().flatten()
    }

    /// What is kept by each of these keys.
    pub(in crate::fetcher) async fn find_all(&self, keys: Vec<CacheKey>) -> Vec<Vec<Candidate>> {
        let store = self.store.clone();
        unblock(move || found(&*store, &keys)).await
    }

    pub(in crate::fetcher) fn change(&self, change: CacheChange) {
        self.store.change(change);
    }
}

async fn answer_all(store: Arc<dyn CacheStore>, asked: Receiver<Question>) {
    while let Ok(first) = asked.recv().await {
        let mut bytes = first.bytes();
        let mut questions = vec![first];
        while questions.len() < MOST && bytes < MOST_BYTES {
            let Ok(next) = asked.try_recv() else { break };
            bytes += next.bytes();
            questions.push(next);
        }
        let store = store.clone();
        unblock(move || answer(&*store, questions)).await;
    }
}

fn answer(store: &dyn CacheStore, questions: Vec<Question>) {
    let is_find = |question: &Question| if let Question::Find(key, _) = question { Some(*key) } else { None };
    let keys: Vec<CacheKey> = questions.iter().filter_map(is_find).collect();
    let mut candidates = found(store, &keys).into_iter();
    for question in questions {
        // Who has asked may be gone.
        let _ = match question {
            Question::Find(_, answer) => answer.try_send(candidates.next().unwrap_or_default()).is_ok(),
            Question::Load { id, answer, .. } => {
                let loaded = store.load(id).unwrap_or_else(|error| {
                    log::warn!("{}", error.one_line());
                    None
                });
                answer.try_send(loaded).is_ok()
            }
        };
    }
}

/// A store that cannot be read has nothing.
fn found(store: &dyn CacheStore, keys: &[CacheKey]) -> Vec<Vec<Candidate>> {
    if keys.is_empty() {
        return Vec::new();
    }
    store.find(keys).unwrap_or_else(|error| {
        log::warn!("{}", error.one_line());
        vec![Vec::new(); keys.len()]
    })
}

impl Question {
    fn bytes(&self) -> u64 {
        match self {
            Question::Load { bytes, .. } => *bytes,
            Question::Find(..) => 0,
        }
    }
}
