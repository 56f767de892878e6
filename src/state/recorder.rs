//! Keeps outcomes as they come: in groups, off the loop, before they are shown or reported.

use std::time::Duration;

use futures_lite::{Stream, StreamExt};
use smol::channel::{Receiver, Sender, bounded};

use super::file::State;
use super::run::{OpenRun, RunEnd, SYNC_EVERY};
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, Task, timeout, unblock};
use crate::outcome::Outcome;
use crate::outcome_group::gather;

/// How long the first outcome of a group waits for others. With the time of the commit itself it stays below 100 ms.
const GROUP_FOR: Duration = Duration::from_millis(20);

/// Outcomes that have been committed, in the order in which they came. Made by [`record`].
#[derive(Debug)]
pub struct Recorded {
    committed: Receiver<Vec<Outcome>>,
    recording: Task<Recording>,
}

/// What is left when the outcomes have ended.
#[derive(Debug)]
struct Recording {
    run: OpenRun,
    /// Why the file could not be written, if it could not: the first time.
    error: Option<Error>,
}

/// Commits what comes, and gives it on: an outcome that comes out of the stream is in the file. Commits are made in groups,
/// within 100 ms of the moment at which an outcome can be taken.
///
/// If the file cannot be written, outcomes come out all the same; [`Recorded::end`] says why.
pub fn record<S>(event_loop: &EventLoop, run: OpenRun, outcomes: S) -> Recorded
where
    S: Stream<Item = Outcome> + Unpin + 'static,
{
    let (sender, committed) = bounded(1);
    let recording = event_loop.spawn_named("state", keep(run, outcomes, sender));
    Recorded { committed, recording }
}

impl Recorded {
    /// The next outcomes, which were committed together; empty when there are no more.
    pub async fn next_group(&mut self) -> Vec<Outcome> {
        self.committed.recv().await.unwrap_or_default()
    }

    /// Notes how the run ended, when all outcomes have been taken.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io): the file could not be written, now or earlier. What could be written is in it.
    pub async fn end(self, end: RunEnd, elapsed: Duration) -> Result<State> {
        self.committed.close();
        let Recording { run, error } = self.recording.await;
        // What is not in the file is missing, and a later run can fetch it.
        let end = if error.is_some() { RunEnd::CutShort } else { end };
        let ended = unblock(move || run.end(end, elapsed)).await;
        match error {
            Some(error) => Err(error),
            None => ended,
        }
    }
}

async fn keep(
    run: OpenRun,
    mut outcomes: impl Stream<Item = Outcome> + Unpin,
    committed: Sender<Vec<Outcome>>,
) -> Recording {
    let mut recording = Recording { run, error: None };
    loop {
        let mut first = None;
        if recording.run.is_unsynced() {
            match timeout(SYNC_EVERY, outcomes.next()).await {
                Ok(Some(outcome)) => first = Some(outcome),
                Ok(None) => return recording,
                Err(_) => recording = recording.sync().await,
            }
        }
        if first.is_none() {
            first = outcomes.next().await;
        }
        let Some(first) = first else { return recording };
        let group;
        (recording, group) = recording.commit(gather(first, &mut outcomes, GROUP_FOR).await).await;
        // If they are not taken any more, they are kept all the same.
        let _ = committed.send(group).await;
    }
}

impl Recording {
    async fn commit(mut self, mut group: Vec<Outcome>) -> (Recording, Vec<Outcome>) {
        unblock(move || {
            let committed = self.run.commit(&mut group);
            self.note(committed);
            (self, group)
        })
        .await
    }

    async fn sync(mut self) -> Recording {
        unblock(move || {
            let synced = self.run.sync();
            self.note(synced);
            self
        })
        .await
    }

    fn note(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.error.get_or_insert(error);
        }
    }
}
