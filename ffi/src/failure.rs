//! Errors as C gets them: a code, and a text that is kept for its thread.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};

use engine::Error;

/// What functions of the header return; `ROUNDUP_ERR_NULL` is [`Code::Null`], and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Code {
    Null = -1,
    Handle = -2,
    Thread = -3,
    Busy = -4,
    Utf8 = -5,
    Invalid = -6,
    State = -7,
    Full = -8,
    Panic = -9,
}

/// Why a call did nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(Code::Invalid, message)
    }

    /// Keeps the text for [`last`], and returns the code.
    pub(crate) fn note(self) -> c_int {
        // No text of ours has a NUL, but it may hold the user's.
        let message = CString::new(self.message.replace('\0', "\u{fffd}")).unwrap_or_default();
        // A thread that ends is not asked any more.
        let _ = LAST.try_with(|last| last.replace(message));
        self.code as c_int
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::invalid(error.one_line())
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Calls `f` with the text of the last error on this thread, or with none.
pub(crate) fn last<T>(f: impl Fn(&CStr) -> T) -> T {
    LAST.try_with(|last| f(&last.borrow())).unwrap_or_else(|_| f(c""))
}
