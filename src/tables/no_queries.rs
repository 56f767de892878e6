//! Stands in for the queries of a report in builds without SQL.

use std::marker::PhantomData;

use super::is_over::IsOver;
use crate::error::{Error, Kind, Result};
use crate::outcome::Outcome;
use crate::redact::Redactor;
use crate::rows::{DataTable, Rows};

/// Answers every query with what this build lacks.
pub(super) struct Queries<'a>(PhantomData<&'a ()>);

impl<'a> Queries<'a> {
    pub(super) fn new(
        _: &'a [DataTable],
        _: &'a [Outcome],
        _: &'a [Rows],
        _: &'a Redactor,
        _: &'a IsOver,
    ) -> Queries<'a> {
        Queries(PhantomData)
    }

    pub(super) fn run(&mut self, _: &str) -> Result<DataTable> {
        Err(Error::new(Kind::Config, "this build cannot run SQL: take one with the cargo feature \"sql\""))
    }
}
