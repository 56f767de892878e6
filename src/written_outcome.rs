//! Attempts and waits as an outcome writes them: without what is `None`, of which reports write null. A state file has one of
//! each for every source, and keys of nothing would be a quarter of it.

use serde::{Serialize, Serializer};

use crate::milliseconds::fractional_ms;
use crate::outcome::{Attempt, CacheUse, Failure, PhaseTimes};
use crate::wait_times::WaitTimes;

#[derive(Serialize)]
struct WrittenAttempt<'a> {
    started_ms: f64,
    total_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    reused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<CacheUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases_ms: Option<&'a PhaseTimes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
}

pub(crate) fn attempts<S: Serializer>(attempts: &[Attempt], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(attempts.iter().map(|attempt| {
        let Attempt { started, total, status, address, reused, url, waited, cache, phases, error } = attempt;
        WrittenAttempt {
            started_ms: fractional_ms(*started),
            total_ms: fractional_ms(*total),
            status: *status,
            address: address.as_deref(),
            reused: *reused,
            url: url.as_deref(),
            waited_ms: waited.map(fractional_ms),
            cache: *cache,
            phases_ms: phases.as_deref(),
            error: error.as_ref(),
        }
    }))
}

pub(crate) fn waits<S: Serializer>(waits: &Option<Box<WaitTimes>>, serializer: S) -> Result<S::Ok, S::Error> {
    let waits = waits.iter().flat_map(|waits| waits.iter());
    serializer.collect_map(waits.map(|(cause, time)| (cause.as_str(), fractional_ms(time))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::Outcome;
    use crate::wait_times::WaitCause;

    #[test]
    fn what_is_none_is_not_written_and_all_is_read_back() {
        let mut waits = WaitTimes::default();
        waits.add(WaitCause::Host, Duration::from_micros(2500));
        let attempt = Attempt {
            started: Duration::from_micros(1500),
            total: Duration::from_millis(2),
            status: Some(200),
            address: None,
            reused: true,
            url: None,
            waited: None,
            cache: None,
            phases: None,
            error: None,
        };
        let (name, waits) = ("a".into(), Some(Box::new(waits)));
        let outcome = Outcome { name, status: Some(200), attempts: vec![attempt], waits, ..Outcome::default() };
        let text = serde_json::to_string(&outcome).expect("plain data");
        let timings =
            r#""timings":{"queue":0.0,"dns":null,"connect":null,"tls":null,"first_byte":null,"body":null,"total":0.0}"#;
        let expected = format!(
            r#"{{"index":0,"name":"a","url":"","status":200,"attempts":[{{"started_ms":1.5,"total_ms":2.0,"status":200,"reused":true}}],{timings},"waits":{{"host":2.5}},"body_truncated":false}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Outcome>(&text).expect("as it was written"), outcome);
        // As earlier versions wrote it.
        let earlier = text
            .replace(r#""reused""#, r#""address":null,"url":null,"waited_ms":null,"cache":null,"phases_ms":null,"error":null,"reused""#)
            .replace(r#"{"host""#, r#"{"run":null,"host""#)
            .replace(r#""body_truncated""#, r#""digest":null,"final_url":null,"body":null,"body_file":null,"data":null,"error":null,"body_truncated""#);
        assert_eq!(serde_json::from_str::<Outcome>(&earlier).expect("with null"), outcome);
    }
}
