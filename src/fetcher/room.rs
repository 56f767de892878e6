//! Futures that do one work after another, in the boxes they were made in.
//!
//! The future of an attempt is large, and there are as many attempts as jobs: to make one, move it into a box and free that
//! costs more than to hand the next attempt to a future that is done with one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// The hands that have nothing to do; never more than had something to do at once.
pub(super) struct Room<T, F>(Idle<T, F>);

type Idle<T, F> = Rc<RefCell<Vec<Hand<T, F>>>>;

/// A future that never ends, and what it is given to do.
struct Hand<T, F> {
    future: Pin<Box<F>>,
    orders: Orders<T>,
}

/// What a future is given to do.
pub(super) struct Orders<T>(Rc<Order<T>>);

struct Order<T> {
    next: Cell<Option<T>>,
    /// Whether it was asked for when there was none.
    wanted: Cell<bool>,
}

impl<T> Orders<T> {
    /// What is to be done next. To ask for it says that all before is done.
    pub(super) async fn next(&self) -> T {
        poll_fn(|_| match self.0.next.take() {
            Some(order) => Poll::Ready(order),
            None => {
                // Nobody need be woken: whoever brings an order polls.
                self.0.wanted.set(true);
                Poll::Pending
            }
        })
        .await
    }
}

impl<T, F: Future<Output = ()>> Room<T, F> {
    pub(super) fn new() -> Room<T, F> {
        Room(Rc::default())
    }

    /// A future that ends when this is done, by a hand that is idle or else by a new one, which `make` makes. Where it is
    /// dropped before, its hand is too.
    pub(super) fn employ(&self, order: T, make: impl FnOnce(Orders<T>) -> F) -> Employed<T, F> {
        let idle = self.0.borrow_mut().pop();
        let hand = idle.unwrap_or_else(|| {
            let order = Rc::new(Order { next: Cell::new(None), wanted: Cell::new(false) });
            Hand { future: Box::pin(make(Orders(order.clone()))), orders: Orders(order) }
        });
        hand.orders.0.next.set(Some(order));
        Employed { hand: Some(hand), room: self.0.clone() }
    }
}

/// See [`Room::employ`].
pub(super) struct Employed<T, F> {
    /// Until it is done.
    hand: Option<Hand<T, F>>,
    room: Idle<T, F>,
}

impl<T, F: Future<Output = ()>> Future for Employed<T, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(hand) = &mut self.hand else { return Poll::Ready(()) };
        let ended = hand.future.as_mut().poll(cx).is_ready();
        if !ended && !hand.orders.0.wanted.replace(false) {
            return Poll::Pending;
        }
        let hand = self.hand.take().filter(|_| !ended);
        self.room.borrow_mut().extend(hand);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once, yield_now};

    use super::*;

    #[test]
    fn hands_are_used_again_and_go_with_work_that_is_given_up() {
        let room = Room::new();
        let made = Cell::new(0);
        let done = Rc::new(RefCell::new(Vec::new()));
        let employ = |n: u32| {
            room.employ(n, |orders| {
                made.set(made.get() + 1);
                let done = done.clone();
                async move {
                    loop {
                        let n = orders.next().await;
                        yield_now().await;
                        done.borrow_mut().push(n);
                    }
                }
            })
        };
        let (mut first, second) = (employ(1), employ(2));
        assert_eq!(block_on(poll_once(&mut first)), None, "it gives way once");
        block_on(async { (second.await, (&mut first).await) });
        assert_eq!((room.0.borrow().len(), made.get()), (2, 2));
        assert_eq!(block_on(poll_once(&mut first)), Some(()), "it stays at its end");
        let mut third = employ(3);
        assert_eq!(block_on(poll_once(&mut third)), None);
        drop(third);
        assert_eq!((room.0.borrow().len(), made.get()), (1, 2));
        block_on(employ(4));
        block_on(async { futures_lite::future::zip(employ(5), employ(6)).await });
        assert_eq!((room.0.borrow().len(), made.get()), (2, 3));
        assert_eq!(*done.borrow(), [2, 1, 4, 5, 6]);
    }
}
