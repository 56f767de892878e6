//! The functions of the header: pointers in, codes out. The one place with `unsafe` in it.

#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::failure::{self, Code, Failure};
use crate::registry;
use crate::wake::Callback;

/// `roundup_t`: never looked into, for its address is a number that stands for a context.
#[derive(Debug)]
#[repr(C)]
pub struct Handle {
    _nothing: [u8; 0],
}

/// `void (*)(void *)`.
type WakeFn = extern "C" fn(*mut c_void);

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_new() -> *mut Handle {
    match registry::add() {
        Ok(handle) => std::ptr::without_provenance_mut(handle),
        Err(failure) => {
            failure.note();
            std::ptr::null_mut()
        }
    }
}

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_free(context: *mut Handle) -> c_int {
    if context.is_null() {
        return 0;
    }
    code(registry::remove(context.addr()).map(|()| 0))
}

/// See `roundup.h`.
///
/// # Safety
/// `option` and `value` are NULL or texts that end with a NUL and do not change during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn roundup_set(context: *mut Handle, option: *const c_char, value: *const c_char) -> c_int {
    code(handle(context).and_then(|handle| {
        // SAFETY: the caller says so.
        let option = unsafe { text(option, "option") }?;
        // SAFETY: the caller says so.
        let value = unsafe { text(value, "value") }?;
        registry::with(handle, |context| context.set(option, value)).map(|()| 0)
    }))
}

/// See `roundup.h`.
///
/// # Safety
/// `wake` may be called with `data` from any thread until another is set or the context is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn roundup_on_wake(context: *mut Handle, wake: Option<WakeFn>, data: *mut c_void) -> c_int {
    code(handle(context).and_then(|handle| {
        let callback = wake.map(|wake| {
            let host = Host { wake, data };
            Box::new(move || host.call()) as Callback
        });
        registry::on_wake(handle, callback).map(|()| 0)
    }))
}

/// See `roundup.h`.
///
/// # Safety
/// `job` is NULL or a text that ends with a NUL and does not change during the call; `first` is NULL or a place for a
/// number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn roundup_add(context: *mut Handle, job: *const c_char, first: *mut u64) -> c_int {
    code(handle(context).and_then(|handle| {
        // SAFETY: the caller says so.
        let job = unsafe { text(job, "job") }?;
        let (number, count) = registry::with(handle, |context| context.add(job))?;
        if !first.is_null() {
            // SAFETY: it is not NULL, and the caller says that it is a place for a number.
            unsafe { first.write(number) };
        }
        Ok(count)
    }))
}

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_tick(context: *mut Handle, budget_us: u32) -> c_int {
    let budget = Duration::from_micros(u64::from(budget_us));
    code(handle(context).and_then(|handle| registry::with(handle, |context| Ok(c_int::from(context.tick(budget))))))
}

/// See `roundup.h`.
///
/// # Safety
/// `outcome` is NULL or a place for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn roundup_take(context: *mut Handle, outcome: *mut *mut c_char) -> c_int {
    // SAFETY: the caller says so.
    unsafe { give(outcome, "outcome", || registry::with(handle(context)?, |context| context.take())) }
}

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_pending(context: *mut Handle) -> i64 {
    let pending = handle(context).and_then(|handle| registry::with(handle, |context| Ok(context.pending())));
    match pending {
        Ok(pending) => i64::try_from(pending).unwrap_or(i64::MAX),
        Err(failure) => i64::from(failure.note()),
    }
}

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_stop(context: *mut Handle) -> c_int {
    let stop = |handle| {
        registry::with(handle, |context| {
            context.stop();
            Ok(0)
        })
    };
    code(handle(context).and_then(stop))
}

/// See `roundup.h`.
///
/// # Safety
/// `summary` is NULL or a place for an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn roundup_summary(context: *mut Handle, summary: *mut *mut c_char) -> c_int {
    let make = || registry::with(handle(context)?, |context| context.summary().map(Some));
    // SAFETY: the caller says so.
    let given = unsafe { give(summary, "summary", make) };
    given.min(0)
}

/// See `roundup.h`.
///
/// # Safety
/// Nobody uses `text` any more, or it is none of ours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn roundup_string_free(text: *mut c_char) -> c_int {
    if text.is_null() {
        return 0;
    }
    if !given().remove(&!text.addr()) {
        let text = "there is no such text: it was given back, or is not one of this library";
        return Failure::new(Code::Handle, text).note();
    }
    // SAFETY: `give` let go of it, it was not taken back since, for it was in the set, and the caller says the rest.
    drop(unsafe { CString::from_raw(text) });
    0
}

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_last_error() -> *const c_char {
    failure::last(CStr::as_ptr)
}

/// See `roundup.h`.
#[unsafe(no_mangle)]
pub extern "C" fn roundup_version() -> *const c_char {
    VERSION.as_ptr()
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// What is to be called, and with what.
struct Host {
    wake: WakeFn,
    data: *mut c_void,
}

// SAFETY: who sets it says that it may be called with this from any thread.
unsafe impl Send for Host {}
// SAFETY: as above, and from two at once.
unsafe impl Sync for Host {}

impl Host {
    fn call(&self) {
        (self.wake)(self.data);
    }
}

/// The addresses of texts that are with the caller, with all bits turned, so that they keep no leak from being found.
static GIVEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

fn given() -> MutexGuard<'static, BTreeSet<usize>> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a text that the caller is to give back into `place`, or NULL, and returns how many that were.
///
/// # Safety
/// `place` is NULL or a place for an address.
unsafe fn give(place: *mut *mut c_char, name: &str, make: impl FnOnce() -> Result<Option<CString>, Failure>) -> c_int {
    if place.is_null() {
        return null(name).note();
    }
    let (text, returned) = match make() {
        Ok(Some(text)) => (text.into_raw(), 1),
        Ok(None) => (std::ptr::null_mut(), 0),
        Err(failure) => (std::ptr::null_mut(), failure.note()),
    };
    if !text.is_null() {
        given().insert(!text.addr());
    }
    // SAFETY: it is not NULL, and the caller says that it is a place for an address.
    unsafe { place.write(text) };
    returned
}

/// # Safety
/// `text` is NULL or a text that ends with a NUL and does not change for `'a`.
unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: it is not NULL, and the caller says the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|error| {
        Failure::new(
            Code::Utf8,
            format!("{name} is not UTF-8: byte {} belongs to no character", error.valid_up_to() + 1),
        )
    })
}

fn handle(context: *mut Handle) -> Result<usize, Failure> {
    if context.is_null() { Err(null("context")) } else { Ok(context.addr()) }
}

fn null(name: &str) -> Failure {
    Failure::new(Code::Null, format!("{name} is NULL"))
}

fn code(result: Result<c_int, Failure>) -> c_int {
    result.unwrap_or_else(Failure::note)
}
