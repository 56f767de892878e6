//! Integration tests.

mod proxy;
