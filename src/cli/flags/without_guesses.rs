//! A small build, which leaves out what people may have meant.

use super::values::Flags;

pub(super) fn argument(_: &str, _: &[String], _: &Flags) -> Option<String> {
    None
}

pub(super) fn option(_: &str) -> Option<String> {
    None
}

pub(super) fn letter(_: char) -> Option<String> {
    None
}

pub(super) fn command(_: &str) -> Option<String> {
    None
}

pub(crate) fn unreadable_plan(_: &str) -> Option<String> {
    None
}
