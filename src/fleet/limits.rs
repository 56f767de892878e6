//! Limits that hold over all workers of a run: each request asks Redis for its leave, those of a moment in one round trip.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_lock::Semaphore;
use futures_lite::FutureExt;
use smol::channel::{Receiver, Sender, bounded, unbounded};
use url::Url;

use super::connection::Trouble;
use super::resp::Reply;
use super::run::{RunId, RunMeta};
use super::scripts::LIMIT;
use super::session::Session;
use crate::event_loop::{sleep, sleep_until};
use crate::fetcher::AttemptCounts;
use crate::fetcher::shared_limits::{LimitSharer, SharedAnswer, SharedLeave};
use crate::limits::Limits;
use crate::origin::Origin;
use crate::units::Rate;

/// After so long a request asks again for which there was no room.
const AGAIN: Duration = Duration::from_millis(15);

/// A part of the time between starts that is added to it, because what leaves evenly may arrive closer together.
const MARGIN: u32 = 50;

/// From one start to the next.
fn gap_of(rate: Option<Rate>) -> Duration {
    rate.map_or(Duration::ZERO, |rate| rate.interval() + rate.interval() / MARGIN)
}

/// What a request asks for.
#[derive(Debug)]
struct Ask {
    origin: String,
    /// How many may be under way at its host; 0 for any number.
    most: u32,
    /// From one start at its host to the next.
    gap: Duration,
    made: AttemptCounts,
    tell: Sender<Answer>,
}

/// What Redis answers to a request.
#[derive(Debug)]
struct Answer {
    what: LeaveNow,
    elsewhere: AttemptCounts,
}

#[derive(Debug)]
enum LeaveNow {
    /// It may leave after this wait.
    After(Duration, HeldPlace),
    /// Its host is to be left alone for so long.
    Paused(Duration),
}

/// A place among those that are under way, given back on drop.
#[derive(Debug)]
struct HeldPlace {
    member: u64,
    origin: String,
    tell: Sender<LimitMessage>,
}

#[derive(Debug)]
enum LimitMessage {
    Ask(Ask),
    Left(u64),
    /// The host of this origin is to be left alone for so long.
    LeaveAlone(String, Duration),
}

/// Asks for leave in the name of the requests of one run.
pub(super) struct SharedLimits {
    limits: Limits,
    /// Bounds the requests of this worker over all runs.
    requests: Arc<Semaphore>,
    tell: Sender<LimitMessage>,
}

/// The side that asks Redis.
#[derive(Debug)]
pub(super) struct LimitKeeper {
    messages: Receiver<LimitMessage>,
    tell: Sender<LimitMessage>,
    next: Cell<u64>,
}

impl SharedLimits {
    pub(super) fn new(limits: Limits, requests: Arc<Semaphore>) -> (SharedLimits, LimitKeeper) {
        // As many messages as there are requests under way, which the worker bounds.
        let (tell, messages) = unbounded();
        (SharedLimits { limits, requests, tell: tell.clone() }, LimitKeeper { messages, tell, next: Cell::new(0) })
    }
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimits").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl LimitSharer for SharedLimits {
    fn pass(&self, url: &Url, made: AttemptCounts) -> Pin<Box<dyn Future<Output = SharedAnswer>>> {
        let (tell, told) = bounded(1);
        let ask = Origin::of(url).map(Origin::without_final_dot).map(|origin| {
            let host = self.limits.of(&origin);
            let (most, gap) = (host.per_host.map_or(0, u32::from), gap_of(host.rate));
            Ask { origin: origin.to_string(), most, gap, made, tell }
        });
        let (requests, keeper) = (self.requests.clone(), self.tell.clone());
        Box::pin(async move {
            let permit = requests.acquire_arc().await;
            let asked = ask.is_ok_and(|ask| keeper.try_send(LimitMessage::Ask(ask)).is_ok());
            // Without an answer, the run is over.
            let answer = if asked { told.recv().await.ok() } else { None };
            let elsewhere = answer.as_ref().map_or_else(AttemptCounts::default, |answer| answer.elsewhere);
            let leave = match answer.map(|answer| answer.what) {
                Some(LeaveNow::After(wait, held)) => {
                    sleep(wait).await;
                    SharedLeave::Granted(Box::new((held, permit)))
                }
                Some(LeaveNow::Paused(wait)) => SharedLeave::Paused(wait),
                None => SharedLeave::Granted(Box::new(())),
            };
            SharedAnswer { leave, elsewhere }
        })
    }

    fn leave_alone(&self, url: &Url, wait: Duration) {
        if let Ok(origin) = Origin::of(url).map(Origin::without_final_dot) {
            let _ = self.tell.try_send(LimitMessage::LeaveAlone(origin.to_string(), wait));
        }
    }
}

impl Drop for HeldPlace {
    fn drop(&mut self) {
        let _ = self.tell.try_send(LimitMessage::Left(self.member));
    }
}

/// What is known of requests between two calls of Redis.
#[derive(Debug, Default)]
struct Places {
    waiting: Vec<(u64, Ask)>,
    /// Under way: number and origin.
    held: Vec<(u64, String)>,
    left: Vec<(u64, String)>,
    /// Hosts to be left alone, which the others do not know of yet.
    paused: BTreeMap<String, Duration>,
    /// What was made here, as the last request has said.
    made: AttemptCounts,
}

impl Places {
    fn take(&mut self, message: LimitMessage, number: u64) {
        match message {
            LimitMessage::Ask(ask) => {
                self.made = ask.made;
                self.waiting.push((number, ask));
            }
            LimitMessage::LeaveAlone(origin, wait) => {
                let longest = self.paused.entry(origin).or_default();
                *longest = wait.max(*longest);
            }
            LimitMessage::Left(member) => {
                let place = self.held.iter().position(|(held, _)| *held == member);
                self.left.extend(place.map(|place| self.held.swap_remove(place)));
            }
        }
    }
}

impl LimitKeeper {
    /// Gives leave as Redis has it; until there is trouble that does not pass.
    pub(super) async fn keep(self, run: RunId, meta: RunMeta, worker: String, session: &mut Session) -> Trouble {
        // A run that is served anew counts from 0 again, so it goes by another name.
        let worker = format!("{worker}/{:08x}", fastrand::u32(..));
        let every = meta.lease / 3;
        let (mut places, mut next_renewal) = (Places::default(), Instant::now() + every);
        loop {
            let again = if places.waiting.is_empty() { next_renewal } else { next_renewal.min(Instant::now() + AGAIN) };
            let due = async {
                sleep_until(again).await;
                None
            };
            let message = async { self.messages.recv().await.ok() };
            if let Some(message) = message.or(due).await {
                self.note(&mut places, message);
            }
            while let Ok(message) = self.messages.try_recv() {
                self.note(&mut places, message);
            }
            let renews = Instant::now() >= next_renewal;
            if renews {
                next_renewal = Instant::now() + every;
            }
            let has_none_to_renew = !renews || places.held.is_empty();
            let tells_nothing = places.left.is_empty() && places.paused.is_empty();
            if places.waiting.is_empty() && tells_nothing && has_none_to_renew {
                continue;
            }
            let arguments = arguments(&worker, &meta, &places, renews);
            match session.run(&run, LIMIT, &arguments).await {
                Ok(reply) => self.answered(&mut places, reply.into_list()),
                Err(trouble) => return trouble,
            }
        }
    }

    fn note(&self, places: &mut Places, message: LimitMessage) {
        let number = self.next.replace(self.next.get() + 1);
        places.take(message, number);
    }

    /// Tells requests what Redis has answered: how many attempts others have made, and then of each what becomes of it.
    fn answered(&self, places: &mut Places, answers: Vec<Reply>) {
        places.left.clear();
        places.paused.clear();
        let mut numbers = answers.iter().map(|answer| answer.number().unwrap_or(-1));
        let mut count = || numbers.next().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let elsewhere = AttemptCounts { firsts: count(), drawn: count() };
        for (member, ask) in std::mem::take(&mut places.waiting) {
            self.answer(places, (member, ask), numbers.next().unwrap_or(-1), elsewhere);
        }
    }

    /// Tells a request how long it waits, or its host is left alone; or it asks again.
    fn answer(&self, places: &mut Places, (member, ask): (u64, Ask), number: i64, elsewhere: AttemptCounts) {
        let what = match u64::try_from(number) {
            Ok(wait) => {
                places.held.push((member, ask.origin.clone()));
                let held = HeldPlace { member, origin: ask.origin, tell: self.tell.clone() };
                log::trace!("{} may be asked in {wait} us", held.origin);
                LeaveNow::After(Duration::from_micros(wait), held)
            }
            Err(_) if number == -1 => {
                places.waiting.push((member, ask));
                return;
            }
            Err(_) => LeaveNow::Paused(Duration::from_micros(number.unsigned_abs() - 2)),
        };
        // A request that was given up meanwhile drops what it is told, which gives the place back.
        let _ = ask.tell.try_send(Answer { what, elsewhere });
    }
}

/// What [`LIMIT`] is called with.
fn arguments(worker: &str, meta: &RunMeta, places: &Places, renews: bool) -> Vec<String> {
    let gap = gap_of(meta.limits.rate);
    let mut arguments = vec![
        meta.lease.as_millis().to_string(),
        meta.limits.concurrency.to_string(),
        gap.as_micros().to_string(),
        worker.to_owned(),
        places.made.firsts.to_string(),
        places.made.drawn.to_string(),
        places.left.len().to_string(),
    ];
    let named = |(member, origin): &(u64, String)| [format!("{worker}/{member}"), origin.clone()];
    arguments.extend(places.left.iter().flat_map(named));
    arguments.push(places.paused.len().to_string());
    arguments.extend(places.paused.iter().flat_map(|(origin, wait)| [origin.clone(), wait.as_micros().to_string()]));
    let renewed = if renews { &places.held[..] } else { &[] };
    arguments.push(renewed.len().to_string());
    arguments.extend(renewed.iter().flat_map(named));
    for (member, Ask { origin, most, gap, .. }) in &places.waiting {
        let (most, gap) = (most.to_string(), gap.as_micros().to_string());
        arguments.extend([format!("{worker}/{member}"), origin.clone(), most, gap]);
    }
    arguments
}
