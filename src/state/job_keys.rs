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

/// The digest of a whole plan: of its jobs in their order.
pub(super) fn digest_of_all(keys: &[JobKey]) -> JobDigest {
    JobDigest::of(keys.iter().flat_map(|key| {
        [
            Cow::Borrowed(key.name.as_bytes()),
            Cow::Borrowed(&key.digest.as_bytes()[..]),
            Cow::Borrowed(&key.settings.as_bytes()[..]),
        ]
    }))
}
