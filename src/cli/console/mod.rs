//! The terminal: messages, colours and size, how a run stands, what its sources do, what the library logs.

mod head;
mod live;
pub(crate) mod logger;
mod message;
mod progress;
mod source_list;
mod terminal;

pub(crate) use self::head::head;
pub(crate) use self::logger::LogPrinter;
pub(crate) use self::message::{check_stdout, complain, leave, print};
pub(crate) use self::progress::ProgressView;
pub(crate) use self::source_list::SourceList;
pub(crate) use self::terminal::{colors, is_dumb, width};
