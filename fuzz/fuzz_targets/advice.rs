//! What a response says about when to come back: any bytes give a wait within bounds, or none.

#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use roundup::fetcher::fuzzing;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(4, |b| *b == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (value, date, remaining, reset) = (part(), part(), part(), part());
    let bounds = Duration::from_millis(100)..=Duration::from_secs(366 * 24 * 3600);
    for now in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)] {
        let after = fuzzing::retry_after(value, Some(date), now).or(fuzzing::retry_after(value, None, now));
        assert!(after.is_none_or(|wait| bounds.contains(&wait)));
        for names in [["ratelimit-remaining", "ratelimit-reset"], ["x-ratelimit-remaining", "x-ratelimit-reset"]] {
            let field = |name: &str| match name {
                name if name == names[0] => Some(remaining),
                name if name == names[1] => Some(reset),
                "date" => Some(date),
                _ => None,
            };
            assert!(fuzzing::rate_limit(field, || now).is_none_or(|wait| bounds.contains(&wait)));
        }
        let structured = fuzzing::rate_limit(|name| (name == "ratelimit").then_some(value), || now);
        assert!(structured.is_none_or(|wait| bounds.contains(&wait)));
    }
});
