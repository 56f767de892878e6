//! What servers say about when to come back: any field, any value, any clock.
#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use roundup::fetcher::fuzzing::Advice;

/// A wait is at least this long, and at most a year.
const LEAST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(366 * 24 * 3600);

const NAMES: [&str; 9] = [
    "Retry-After",
    "RateLimit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Remaining-Minute",
    "X-RateLimit-Reset-After",
    "Date",
];

fuzz_target!(|input: (u16, u64, Vec<(u8, &[u8])>)| {
    let (status, seconds, fields) = input;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds % (1 << 40));
    let fields = fields.iter().map(|(name, value)| (NAMES[usize::from(*name) % NAMES.len()], *value));
    let advice = Advice::new(status, fields, || now);
    assert!(advice.wait.is_none_or(|wait| (LEAST..=MOST).contains(&wait)));
    assert!(advice.refused || status != 429);
});
