//! Events and queues. Locks, semaphores and barriers are those of async-lock.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event as Listeners;

/// A queue with a bound: `asyncio.Queue(maxsize)`. Sending waits while the queue is full, receiving while it is empty. Both
/// ends can be cloned. Receiving ends when all senders are gone.
///
/// ```
/// # use roundup_event_loop::{EventLoop, queue};
/// let event_loop = EventLoop::new();
/// let (sender, receiver) = queue(2);
/// let source = event_loop.spawn(async move {
///     for n in 0..5 {
///         sender.send(n).await.expect("the receiver is there");
///     }
/// });
/// event_loop.run(async {
///     let mut sum = 0;
///     while let Ok(n) = receiver.recv().await {
///         sum += n;
///     }
///     assert_eq!(sum, 10);
///     source.await;
/// });
/// ```
///
/// # Panics
/// With a capacity of zero.
pub fn queue<T>(capacity: usize) -> (async_channel::Sender<T>, async_channel::Receiver<T>) {
    async_channel::bounded(capacity)
}

/// A flag that any number of tasks can wait for: `asyncio.Event`.
///
/// ```
/// # use roundup_event_loop::{Event, EventLoop};
/// # use std::rc::Rc;
/// let event_loop = EventLoop::new();
/// let ready = Rc::new(Event::new());
/// let waiting = ready.clone();
/// let task = event_loop.spawn(async move { waiting.wait().await });
/// event_loop.run(async {
///     assert!(!ready.is_set());
///     ready.set();
///     task.await;
/// });
/// ```
#[derive(Default)]
pub struct Event {
    set: AtomicBool,
    listeners: Listeners,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Event {
        Event::default()
    }

    /// Sets the event and wakes all tasks that wait for it. Waiting returns at once until [`clear`](Self::clear).
    pub fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.listeners.notify(usize::MAX);
    }

    /// Resets the event, so that tasks wait for it again.
    pub fn clear(&self) {
        self.set.store(false, Ordering::Release);
    }

    /// Whether the event is set.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Waits until the event is set. As in asyncio, a task that was woken goes on even if the event is cleared right after.
    pub async fn wait(&self) {
        if self.is_set() {
            return;
        }
        let listener = self.listeners.listen();
        // It may have been set before the listener was there.
        if !self.is_set() {
            listener.await;
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures_lite::future::yield_now;

    use super::*;
    use crate::EventLoop;

    #[test]
    fn all_waiting_tasks_go_on_even_if_the_event_is_cleared_at_once() {
        let event_loop = EventLoop::new();
        let event = Rc::new(Event::new());
        event_loop.run(async {
            let waiting = event_loop.gather((0..3).map(|_| {
                let event = event.clone();
                async move { event.wait().await }
            }));
            yield_now().await;
            event.set();
            event.clear();
            waiting.await;
            assert!(!event.is_set());
            event.set();
            event.wait().await;
        });
    }
}
