//! Integration tests.

mod report;
