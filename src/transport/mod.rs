//! The transport: what carries a request to a server and its response back.

pub mod h1;
