//! Integration tests, one binary: it links once, which matters on small machines.

mod h1_corpus;
