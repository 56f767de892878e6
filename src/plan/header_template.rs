//! A header of a plan, with its value still to be filled.

use super::node_reader::Place;
use super::template::{Row, Show, Template};
use crate::authorization::Authorization;
use crate::error::Result;
use crate::http::Field;

/// A header and its value.
#[derive(Clone)]
pub(super) struct HeaderTemplate {
    pub(super) place: Place,
    pub(super) name: Box<str>,
    pub(super) value: Template,
    pub(super) form: HeaderForm,
}

impl HeaderTemplate {
    pub(super) fn field(&self, row: &Row<'_>) -> Result<Field> {
        let value = self.value.fill(row, Show::Values);
        match self.form {
            HeaderForm::Omitted => Field::omitted(&self.name),
            HeaderForm::Plain => Field::new(&self.name, value),
            HeaderForm::Basic => Authorization::user(&value)?.field(),
            HeaderForm::Bearer => Authorization::bearer(&value)?.field(),
        }
    }
}

/// What the value of a header is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderForm {
    /// As it is.
    Plain,
    /// Not at all: the field is not sent.
    Omitted,
    /// A name and a password as Basic (RFC 7617).
    Basic,
    /// A token as Bearer (RFC 6750).
    Bearer,
}
