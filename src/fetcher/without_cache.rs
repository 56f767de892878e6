//! A build that keeps no responses: the same signatures, and nothing behind them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use async_lock::SemaphoreGuardArc;

use super::active::JobEnd;
use super::advice::Advice;
use super::host::JobNumber;
use super::state::RunState;
use crate::body::Body;
use crate::error::Error;
use crate::event_loop::{EventLoop, Task};
use crate::job::Job;
use crate::outcome::CacheUse;
use crate::transport::{Progress, Request, SendRequest, Sending};

/// There is none.
#[derive(Clone, Debug)]
pub(super) enum RunCache {}

#[derive(Debug, Default)]
pub(super) struct CacheLane {}

/// There is none.
#[derive(Debug)]
pub(super) enum Delivery {}

#[derive(Debug, Default)]
pub(super) struct FirstLook;

#[derive(Debug, Default)]
pub(super) struct CacheNote;

#[derive(Debug, Default)]
pub(super) struct ReleasedChanges;

/// What [`open`] gives to [`begin`].
#[derive(Debug)]
pub(super) struct Opened;

/// Sends requests as they are.
#[derive(Debug)]
pub(super) struct CachingSender<'a>(&'a dyn SendRequest);

pub(super) fn open(_: &mut RunState, _: &EventLoop) -> Opened {
    Opened
}

pub(super) fn begin(_: Opened, _: &Rc<RefCell<RunState>>, _: &EventLoop) -> Option<Task<()>> {
    None
}

pub(super) fn number_of(delivery: &Delivery) -> JobNumber {
    match *delivery {}
}

pub(super) fn is_outage(_: &Error, _: Option<u16>) -> bool {
    false
}

pub(super) async fn deliver(_: Rc<RefCell<RunState>>, delivery: Delivery, _: Arc<Progress>, _: SemaphoreGuardArc) {
    match delivery {}
}

impl RunState {
    pub(super) fn take_first_look(&mut self, _: JobNumber) -> FirstLook {
        FirstLook
    }
}

impl CacheLane {
    pub(super) fn cache(&self) -> Option<RunCache> {
        None
    }

    pub(super) fn takes(&mut self, _: JobNumber, _: &Job) -> bool {
        false
    }

    pub(super) fn next(&mut self) -> Option<Delivery> {
        None
    }

    pub(super) fn take_ends(&mut self) -> BTreeMap<JobNumber, JobEnd> {
        BTreeMap::new()
    }

    pub(super) fn wait_for_stale(&mut self, _: JobNumber, _: Option<&Job>, end: JobEnd) -> Option<JobEnd> {
        Some(end)
    }

    pub(super) fn waits_for_stale(&self, _: JobNumber) -> bool {
        false
    }

    pub(super) fn forget(&mut self, _: &FirstLook) {}

    pub(super) fn release(&self, _: ReleasedChanges) {}
}

impl CacheNote {
    pub(super) fn used(&self) -> Option<CacheUse> {
        None
    }

    pub(super) fn attempt_status(&self, status: Option<u16>) -> Option<u16> {
        status
    }

    pub(super) fn advice(&self, advice: impl FnOnce() -> Advice) -> Advice {
        advice()
    }

    pub(super) fn unread(&self) -> Option<u64> {
        None
    }

    pub(super) fn keeps(&self) -> Option<u64> {
        None
    }

    pub(super) fn read(&mut self, body: &mut Option<Body>, keep: bool) -> Option<Body> {
        if !keep {
            *body = None;
        }
        None
    }

    pub(super) fn accept(&mut self, _: Option<Body>) {}

    pub(super) fn take_changes(&mut self) -> ReleasedChanges {
        ReleasedChanges
    }
}

impl<'a> CachingSender<'a> {
    pub(super) fn new(
        sender: &'a dyn SendRequest,
        _: &'a Job,
        _: Option<RunCache>,
        _: FirstLook,
        _: bool,
        _: bool,
    ) -> CachingSender<'a> {
        CachingSender(sender)
    }

    pub(super) fn end(self) -> CacheNote {
        CacheNote
    }
}

impl SendRequest for CachingSender<'_> {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        self.0.send(request)
    }
}
