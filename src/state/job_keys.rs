//! What a state knows jobs by.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::job::Job;
use crate::job_id::JobDigest;
use crate::redact::Redactor;
use crate::redacted;
use crate::settings::Settings;

/// What tells a job from all others of its plan, and what it was when it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobKey {
    /// Its name, secrets hidden.
    pub(super) name: Arc<str>,
    /// What it sends.
    pub(super) digest: JobDigest,
    /// What is made of the response: what is selected, accepted and expected.
    pub(super) settings: JobDigest,
}

/// The settings that change neither what is sent nor what is made of the response, and those that the job's digest knows.
const OTHERS: [&str; 10] = [
    "method",
    "headers",
    "data", // in the digest
    "timeout",
    "connect_timeout",
    "retries",
    "retry_unsafe",
    "retry_after_max",
    "cache",
    "stale_if_error",
];

/// The keys of these jobs, in their order.
pub(super) fn keys_of(jobs: &[Job], redactor: &Redactor) -> Vec<JobKey> {
    // Most jobs of a plan share their settings. They live as long as the jobs, so no address is used twice.
    let mut known: BTreeMap<*const Settings, JobDigest> = BTreeMap::new();
    let mut key = |job: &Job| JobKey {
        name: match redacted::text(redactor, job.name()) {
            Cow::Borrowed(_) => job.names().0,
            Cow::Owned(name) => name.into(),
        },
        digest: job.digest(),
        settings: *known.entry(Arc::as_ptr(job.settings())).or_insert_with(|| digest_of(job.settings())),
    };
    jobs.iter().map(&mut key).collect()
}

fn digest_of(settings: &Settings) -> JobDigest {
    let written = match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(mut members)) => {
            members.retain(|name, _| !OTHERS.contains(&name.as_str()));
            serde_json::Value::Object(members).to_string()
        }
        // Plain data, which serde can write.
        _ => String::new(),
    };
    JobDigest::of([Cow::Owned(written.into_bytes())])
}

/// The digest of a whole plan: of its jobs in their order. It only tells plans apart, and is made of digests: FNV-1a does, of
/// which each step is a multiplication.
pub(super) fn digest_of_all(keys: &[JobKey]) -> [u8; 16] {
    const PRIME: u128 = (1 << 88) + 0x13b;
    let step = |sum: u128, part: u128| (sum ^ part).wrapping_mul(PRIME);
    let digest = keys.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |sum, key| {
        let name = key.name.bytes().fold(sum, |sum, byte| step(sum, byte.into()));
        [key.digest, key.settings].iter().fold(name, |sum, part| step(sum, u128::from_be_bytes(*part.as_bytes())))
    });
    digest.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_plan_is_of_names_settings_and_their_order() {
        let key = |name: &str, digest: &'static str, settings: &'static str| JobKey {
            name: name.into(),
            digest: JobDigest::of([Cow::Borrowed(digest.as_bytes())]),
            settings: JobDigest::of([Cow::Borrowed(settings.as_bytes())]),
        };
        let plans = [
            vec![],
            vec![key("a", "x", "s")],
            vec![key("b", "x", "s")],
            vec![key("a", "y", "s")],
            vec![key("a", "x", "t")],
            vec![key("a", "s", "x")],
            vec![key("a", "x", "s"), key("b", "x", "s")],
            vec![key("b", "x", "s"), key("a", "x", "s")],
        ];
        let digests: std::collections::BTreeSet<[u8; 16]> = plans.iter().map(|plan| digest_of_all(plan)).collect();
        assert_eq!(digests.len(), plans.len());
    }
}
