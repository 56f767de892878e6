//! Limits that hold over all workers of a run: each request asks Redis for its leave, those of a moment in one round trip.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_lite::FutureExt;
use smol::channel::{Receiver, Sender, bounded, unbounded};
use url::Url;

use super::connection::Trouble;
use super::patience::Patience;
use super::run::{RunId, RunMeta};
use super::scripts::LIMIT;
use crate::event_loop::{sleep, sleep_until};
use crate::fetcher::shared_limits::{LimitSharer, SharedLeave};
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
    tell: Sender<Granted>,
}

/// The leave to send after this wait.
#[derive(Debug)]
struct Granted {
    wait: Duration,
    held: HeldPlace,
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
}

/// Asks for leave in the name of the requests of one run.
pub(super) struct SharedLimits {
    limits: Limits,
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
    pub(super) fn new(limits: Limits) -> (SharedLimits, LimitKeeper) {
        // As many messages as there are requests under way, which the worker bounds.
        let (tell, messages) = unbounded();
        (SharedLimits { limits, tell: tell.clone() }, LimitKeeper { messages, tell, next: Cell::new(0) })
    }
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimits").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl LimitSharer for SharedLimits {
    fn pass(&self, url: &Url) -> Pin<Box<dyn Future<Output = SharedLeave>>> {
        let (tell, told) = bounded(1);
        let asked = Origin::of(url).is_ok_and(|origin| {
            let host = self.limits.of(&origin);
            let (most, gap) = (host.per_host.map_or(0, u32::from), gap_of(host.rate));
            self.tell.try_send(LimitMessage::Ask(Ask { origin: origin.to_string(), most, gap, tell })).is_ok()
        });
        Box::pin(async move {
            // Without an answer, the run is over.
            let granted = if asked { told.recv().await.ok() } else { None };
            let Some(Granted { wait, held }) = granted else { return Box::new(()) as SharedLeave };
            sleep(wait).await;
            Box::new(held) as SharedLeave
        })
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
}

impl Places {
    fn take(&mut self, message: LimitMessage, number: u64) {
        match message {
            LimitMessage::Ask(ask) => self.waiting.push((number, ask)),
            LimitMessage::Left(member) => {
                let place = self.held.iter().position(|(held, _)| *held == member);
                self.left.extend(place.map(|place| self.held.swap_remove(place)));
            }
        }
    }
}

impl LimitKeeper {
    /// Gives leave as Redis has it; until there is trouble that does not pass.
    pub(super) async fn keep(self, run: RunId, meta: RunMeta, worker: String, patience: &mut Patience) -> Trouble {
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
            if places.waiting.is_empty() && places.left.is_empty() && has_none_to_renew {
                continue;
            }
            let arguments = arguments(&worker, &meta, &places, renews);
            match patience.run(&run, LIMIT, &arguments).await {
                Ok(reply) => {
                    places.left.clear();
                    let answers = reply.into_list();
                    let waiting = std::mem::take(&mut places.waiting);
                    for ((member, ask), answer) in waiting.into_iter().zip(answers) {
                        self.answer(&mut places, member, ask, answer.number().unwrap_or(-1));
                    }
                }
                Err(trouble) => return trouble,
            }
        }
    }

    fn note(&self, places: &mut Places, message: LimitMessage) {
        let number = self.next.replace(self.next.get() + 1);
        places.take(message, number);
    }

    /// Tells a request how long it waits; below 0, it asks again.
    fn answer(&self, places: &mut Places, member: u64, ask: Ask, wait_us: i64) {
        let Ok(wait) = u64::try_from(wait_us) else {
            places.waiting.push((member, ask));
            return;
        };
        places.held.push((member, ask.origin.clone()));
        let held = HeldPlace { member, origin: ask.origin, tell: self.tell.clone() };
        log::trace!("{} may be asked in {wait} us", held.origin);
        // A request that was given up meanwhile drops what it is told, which gives the place back.
        let _ = ask.tell.try_send(Granted { wait: Duration::from_micros(wait), held });
    }
}

/// What [`LIMIT`] is called with.
fn arguments(worker: &str, meta: &RunMeta, places: &Places, renews: bool) -> Vec<String> {
    let gap = gap_of(meta.limits.rate);
    let mut arguments = vec![
        meta.lease.as_millis().to_string(),
        meta.limits.concurrency.to_string(),
        gap.as_micros().to_string(),
        places.left.len().to_string(),
    ];
    let named = |(member, origin): &(u64, String)| [format!("{worker}/{member}"), origin.clone()];
    arguments.extend(places.left.iter().flat_map(named));
    let renewed = if renews { &places.held[..] } else { &[] };
    arguments.push(renewed.len().to_string());
    arguments.extend(renewed.iter().flat_map(named));
    for (member, Ask { origin, most, gap, .. }) in &places.waiting {
        let (most, gap) = (most.to_string(), gap.as_micros().to_string());
        arguments.extend([format!("{worker}/{member}"), origin.clone(), most, gap]);
    }
    arguments
}
