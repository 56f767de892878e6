//! Outcomes as they go through Redis: what the collector knows of the job stays out, and so do secrets.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret_text::{SecretText, shown, without_nuls};
use crate::atomic_file::AtomicFile;
use crate::body::Body;
use crate::error::{Error, Kind, Result};
use crate::event_loop::unblock;
use crate::fetcher::cannot_save;
use crate::outcome::{Failure, Outcome, RedirectHead};

/// The largest content that goes through Redis.
pub(super) const MAX_BODY: u64 = 256 << 10;

/// The longest text of an outcome.
const MAX_OUTCOME: usize = 4 << 20;

/// Secrets are looked for on the loop in texts up to this length.
const MOST_ON_LOOP: usize = 64 << 10;

/// An outcome as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeText {
    /// How long before this was written the worker had taken the job.
    #[serde(rename = "age_ms", with = "crate::serde_forms::ms")]
    age: Duration,
    #[serde(rename = "o")]
    outcome: Outcome,
    /// With which token of its login it was sent last; 0 if with none.
    #[serde(rename = "t", default, skip_serializing_if = "is_none")]
    token: u64,
    /// What an outcome alone does not write.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    redirects: Option<Box<[RedirectHead]>>,
}

fn is_none(token: &u64) -> bool {
    *token == 0
}

/// Where the content of the job of this name is saved if it does not go through Redis.
pub(super) type ContentPlaces = Arc<dyn Fn(&str) -> PathBuf + Send + Sync>;

/// Writes an outcome. Its attempts are given from when the job was taken, `age` ago.
pub(super) async fn write(
    mut outcome: Outcome,
    age: Duration,
    token: u64,
    secrets: &Arc<SecretText>,
    places: Option<&ContentPlaces>,
) -> String {
    let name = outcome.name.clone();
    outcome.index = 0;
    (outcome.name, outcome.url, outcome.digest) = (Arc::default(), Arc::default(), None);
    (outcome.place, outcome.method, outcome.table) = (None, None, None);
    if let Some(body) = outcome.body.take() {
        if body.len() > MAX_BODY {
            match places {
                Some(places) => save(&mut outcome, body, name, places.clone()).await,
                None => outcome.body_truncated = true,
            }
        } else if body.in_memory().is_some() {
            outcome.body = Some(body);
        } else {
            // It is in the temporary file of the run.
            let read = unblock(move || body.read().map(std::borrow::Cow::into_owned)).await;
            outcome.body_truncated = read.is_err();
            outcome.body = read.ok().map(Into::into);
        }
    }
    let open = json_of(&outcome, age, token);
    let mut too_long = open.len() > MAX_OUTCOME;
    let mib = open.len() >> 20;
    let text = if too_long { String::new() } else { hidden(open, secrets).await };
    too_long |= text.len() > MAX_OUTCOME;
    if !too_long && !secrets.is_left(&text) {
        return text;
    }
    // Some forms of a secret cannot be put back; what was hidden for good is so in every report, too.
    let numbers_leak = !too_long && secrets.is_left(&text.replace(crate::http::REDACTED, ""));
    if !too_long && !numbers_leak {
        return text;
    }
    let why = match too_long {
        true => Error::new(
            Kind::TooLarge,
            format!(
                "its rows take {} MiB, and through Redis go at most {}",
                mib.max(text.len() >> 20),
                MAX_OUTCOME >> 20
            ),
        ),
        false => Error::new(Kind::Body, "a number in its content is a secret, and none goes through Redis"),
    };
    let (status, fields) = (outcome.status, None);
    let Outcome { attempts, timings, content_type, body_bytes, body_file, worker, .. } = outcome;
    let error = Some(Failure::from(&why));
    let short = Outcome {
        status,
        fields,
        attempts,
        timings,
        content_type,
        body_bytes,
        worker,
        error,
        body_truncated: body_file.is_none(),
        body_file,
        ..Outcome::default()
    };
    secrets.hidden(&json_of(&short, age, token))
}

/// Saves a content to a file in the worker's folder. If that fails, so does the source, as it does on one machine.
async fn save(outcome: &mut Outcome, body: Body, name: Arc<str>, places: ContentPlaces) {
    let saved = unblock(move || {
        let mut place = places(&name);
        let saved = save_new(&body, &mut place, || places(&name));
        (saved, place)
    });
    match saved.await {
        (Ok(()), place) => outcome.body_file = Some(place),
        (Err(error), place) => {
            outcome.body_truncated = true;
            outcome.error.get_or_insert_with(|| Failure::from(&cannot_save(&place, error)));
        }
    }
}

/// Takes the place of no file: another worker may have the same folder.
fn save_new(body: &Body, place: &mut PathBuf, mut next: impl FnMut() -> PathBuf) -> io::Result<()> {
    let mut file = AtomicFile::create(place.clone())?;
    // Piece by piece, because it may lie in a file for want of memory.
    io::copy(&mut body.reader(), &mut file)?;
    loop {
        match file.commit_new() {
            Ok(()) => return Ok(()),
            Err((_, Some(unnamed))) => {
                file = unnamed;
                *place = next();
                file.rename(place.clone());
            }
            Err((error, None)) => return Err(error),
        }
    }
}

/// A text without secrets. To look for them takes some milliseconds a MiB.
async fn hidden(open: String, secrets: &Arc<SecretText>) -> String {
    if open.len() <= MOST_ON_LOOP {
        return secrets.hidden(&open);
    }
    let secrets = secrets.clone();
    unblock(move || secrets.hidden(&open)).await
}

fn json_of(outcome: &Outcome, age: Duration, token: u64) -> String {
    let redirects = outcome.redirects.clone();
    serde_json::to_string(&OutcomeText { age, outcome: outcome.clone(), token, redirects }).unwrap_or_default()
}

/// The outcome of a job that was not fetched, for this reason.
pub(super) fn failed(error: &Error) -> String {
    let outcome = Outcome { error: Some(Failure::from(error)), ..Outcome::default() };
    without_nuls(&json_of(&outcome, Duration::ZERO, 0))
}

/// Reads an outcome, how long before it was written the job had been taken, and with which token it was sent.
///
/// # Errors
/// [`Kind::Config`]: it is none, or names a secret that is not known here.
pub(super) fn read(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<(Outcome, Duration, u64)> {
    let text = shown(text, value)?;
    let OutcomeText { age, mut outcome, token, redirects } = serde_json::from_str(&text)
        .map_err(|error| Error::new(Kind::Config, format!("the outcome cannot be read: {error}")))?;
    outcome.redirects = redirects;
    Ok((outcome, age, token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_loop::EventLoop;
    use crate::outcome::ResponseField;
    use crate::secrets::Secrets;

    fn there_and_back(outcome: Outcome, secrets: &Secrets) -> (String, Outcome) {
        let texts = Arc::new(SecretText::new(secrets));
        let text = EventLoop::new().run(write(outcome, Duration::from_millis(5), 3, &texts, None));
        let value = |name: &str| secrets.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        let (outcome, age, token) = read(&text, &value).expect("it was just written");
        assert_eq!((age, token), (Duration::from_millis(5), 3));
        (text, outcome)
    }

    #[test]
    fn contents_come_back_without_secrets_on_the_way() {
        let secrets = Secrets::new([("KEY", "a-long-secret")]);
        let body = br#"{"echo":"a-long-secret","n":1.0}"#.to_vec();
        let captured = vec![crate::rows::Cell::Text("http://h/?page=2&key=a-long-secret".into())];
        let location = ResponseField { name: "Location".into(), value: (*b"/?key=a-long-secret").into() };
        let redirects = Some([RedirectHead { status: 302, fields: vec![location] }].into());
        let body = Some(Body::from(body));
        let outcome = Outcome { body, status: Some(200), captured, redirects, ..Outcome::default() };
        let (text, read) = there_and_back(outcome.clone(), &secrets);
        assert!(!text.contains("a-long-secret"), "{text}");
        assert_eq!(read, outcome);
    }

    /// Without secrets they went as they were, and no mark was found in them.
    #[test]
    fn a_nul_that_a_server_sent_comes_back() {
        let captured = vec![crate::rows::Cell::Text("abc\0def".into())];
        let outcome = Outcome { captured, status: Some(200), ..Outcome::default() };
        for secrets in [Secrets::default(), Secrets::new([("KEY", "a-long-secret")])] {
            assert_eq!(there_and_back(outcome.clone(), &secrets).1, outcome);
        }
        let failed = failed(&Error::new(Kind::Config, "a\0b"));
        assert!(read(&failed, &|_| None).expect("it was just written").0.error.is_some());
    }

    #[test]
    fn large_contents_are_left_out() {
        let with = |len: u64| Outcome { body: Some(Body::from(vec![b'x'; len as usize])), ..Outcome::default() };
        let none = Secrets::default();
        assert_eq!(there_and_back(with(MAX_BODY), &none).1, with(MAX_BODY));
        let cut = there_and_back(with(MAX_BODY + 1), &none).1;
        assert_eq!((cut.body, cut.body_truncated), (None, true));
    }

    #[test]
    fn what_cannot_go_is_a_failure_that_says_so() {
        let data = serde_json::from_str(&format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_OUTCOME))).expect("a record");
        let large = Outcome { data: Some(data), status: Some(200), ..Outcome::default() };
        let read = there_and_back(large, &Secrets::default()).1;
        assert_eq!((read.status, read.error.map(|error| error.kind)), (Some(200), Some(Kind::TooLarge)));
        let data = serde_json::from_str(r#"{"a":1234567890}"#).expect("a record");
        let secret = Outcome { data: Some(data), ..Outcome::default() };
        let (text, read) = there_and_back(secret, &Secrets::new([("N", "1234567890")]));
        assert!(!text.contains("1234567890"), "{text}");
        assert_eq!(read.error.map(|error| error.kind), Some(Kind::Body));
    }

    /// Two workers may have one folder, and a file may come into it at any time.
    #[test]
    fn a_content_takes_the_place_of_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let numbers = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (path, next) = (folder.path().to_owned(), numbers.clone());
        let places: ContentPlaces = Arc::new(move |name: &str| {
            path.join(format!("{name}-{}", next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
        });
        std::fs::write(folder.path().join("a-0"), "of another").expect("a file");
        std::fs::write(folder.path().join("a-1"), "of another").expect("a file");
        let content = vec![b'x'; MAX_BODY as usize + 1];
        let outcome = || Outcome { name: "a".into(), body: Some(content.clone().into()), ..Outcome::default() };
        let texts = Arc::new(SecretText::new(&Secrets::default()));
        let text = EventLoop::new().run(write(outcome(), Duration::ZERO, 0, &texts, Some(&places)));
        let (read, ..) = read(&text, &|_| None).expect("it was just written");
        assert_eq!(read.body_file, Some(folder.path().join("a-2")));
        assert_eq!(std::fs::read(folder.path().join("a-2")).expect("it is there"), content);
        assert_eq!(std::fs::read(folder.path().join("a-1")).expect("it is there"), b"of another");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "no temporary file is left");
    }
}
