//! The pages of a source: which requests follow from an answer, and how the answers become one outcome.

use std::collections::{BTreeMap, HashSet};

use url::Url;

use super::json_set::json_set;
use super::link::next_link;
use super::step::{PartRequest, Step};
use crate::error::{Error, Kind, Phase, Result};
use crate::follow_up::{NextTarget, PageRule, Pages};
use crate::http::percent::{COMPONENT, decode, encode};
use crate::job::Job;
use crate::job_id::JobDigest;
use crate::origin::{Origin, parse_url, without_password};
use crate::outcome::{Attempt, Failure, Outcome};
use crate::rows::{Cell, Rows, join_rows, shorten};

/// How many pages are asked for beyond the first that has not come: what comes early waits for it in memory.
const MOST_AHEAD: usize = 100;

/// The rows that a page gave.
#[derive(Debug)]
pub(super) struct PageOfRows {
    /// The number of the page, from 1.
    pub(super) page: usize,
    pub(super) rows: Vec<Rows>,
}

/// The pages of one source.
pub(super) struct PagesRun {
    pages: Pages,
    /// The request of the first page.
    first: Job,
    /// What was sent, so that a page that leads to itself is found.
    sent: HashSet<JobDigest>,
    /// How many pages were asked for, and how many are to be: those that have numbers.
    asked: usize,
    wanted: usize,
    /// Pages that came before one that was asked for earlier.
    early: BTreeMap<usize, Outcome>,
    /// What the pages that came give together.
    whole: Option<Outcome>,
    /// How many pages are part of it.
    joined: usize,
    /// Why there are pages that are not read.
    cut: Option<Failure>,
    /// The rows that the pages gave since they were last taken.
    pub(super) new_rows: Vec<PageOfRows>,
    /// Whether the outcome has them, too.
    keeps_rows: bool,
    /// How many came, and how many may come.
    rows: usize,
    max_rows: usize,
}

impl PagesRun {
    /// The pages of a job, and the request of the first one.
    pub(super) fn begin(job: Job, pages: Pages, keeps_rows: bool) -> (PagesRun, PartRequest) {
        let (places, max_rows) = (pages.places(), job.settings().max_rows as usize);
        let job = job.with(|settings| settings.capture = places);
        let first = match &pages.by {
            PageRule::Number { page, from, .. } => with_param(&job, page, &from.to_string()),
            PageRule::Offset { offset, .. } => with_param(&job, offset, "0"),
            PageRule::Next { .. } | PageRule::Link => job,
        };
        let run = PagesRun {
            sent: HashSet::from([first.digest()]),
            first: first.clone(),
            pages,
            asked: 1,
            wanted: 1,
            early: BTreeMap::new(),
            whole: None,
            joined: 0,
            cut: None,
            new_rows: Vec::new(),
            keeps_rows,
            rows: 0,
            max_rows,
        };
        (run, PartRequest::new(first, 0))
    }

    /// Takes the outcome of a page.
    pub(super) fn answered(&mut self, part: usize, outcome: Outcome) -> Step {
        self.early.insert(part, outcome);
        let mut requests = Vec::new();
        while let Some(outcome) = self.early.remove(&self.joined) {
            let ok = outcome.ok();
            let followed = if ok { self.follow(&outcome) } else { Ok(Vec::new()) };
            let joined = self.join(outcome);
            match joined.and(followed) {
                Ok(next) => requests.extend(next),
                Err(error) => {
                    self.fail(Failure::from(&error));
                    return self.end();
                }
            }
            if !ok {
                return self.end();
            }
        }
        if self.joined == self.asked && requests.is_empty() { self.end() } else { Step::More(requests) }
    }

    /// What there is, with this failure.
    pub(super) fn cut_short(&mut self, failure: Failure) -> Outcome {
        let mut whole = self.whole.take().unwrap_or_default();
        whole.error = whole.error.or(Some(failure));
        whole
    }

    fn end(&mut self) -> Step {
        if let Some(cut) = self.cut.take() {
            self.fail(cut);
        }
        Step::Done(Box::new(self.whole.take().unwrap_or_default()))
    }

    fn fail(&mut self, failure: Failure) {
        if let Some(whole) = &mut self.whole {
            whole.error.get_or_insert(failure);
        }
    }

    /// The requests that follow from a page.
    fn follow(&mut self, outcome: &Outcome) -> Result<Vec<PartRequest>> {
        let captured = |number: usize| outcome.captured.get(number).filter(|cell| !cell.is_null());
        let rows: usize = outcome.rows.iter().map(|rows| rows.rows.len()).sum();
        let base = outcome.final_url.as_deref().and_then(|url| Url::parse(url).ok());
        let page = self.joined;
        match self.pages.by.clone() {
            PageRule::Next { goes_into, more, .. } => {
                let ends = more.is_some() && captured(1) != Some(&Cell::Bool(true));
                let Some(value) = captured(0).filter(|value| !ends && leads_on(value)) else { return Ok(Vec::new()) };
                if !matches!(
                    (&goes_into, value),
                    (NextTarget::Json(_), _) | (_, Cell::Text(_)) | (NextTarget::Param(_), Cell::Number(_))
                ) {
                    let shown = shorten(&value.to_json());
                    let text =
                        format!("what leads to the next page is {shown} where a URL or a value for one is expected");
                    return Err(Error::new(Kind::Expectation, text).in_phase(Phase::Body));
                }
                let job = match &goes_into {
                    NextTarget::Url => self.page_at(&value.as_text(), base.as_ref())?,
                    NextTarget::Param(name) => with_param(&self.first, name, &value.as_text()),
                    NextTarget::Json(place) => self.with_json(place, value)?,
                };
                self.ask(job)
            }
            PageRule::Link => {
                let value = captured(0).map(|value| value.as_text().into_owned()).unwrap_or_default();
                match next_link(&value) {
                    Some(target) => {
                        let job = self.page_at(target, base.as_ref())?;
                        self.ask(job)
                    }
                    None => Ok(Vec::new()),
                }
            }
            PageRule::Number { total_pages: Some(_), .. } if page == 0 => {
                self.want(count(captured(0), "how many pages there are")?, true);
                self.ask_ahead()
            }
            PageRule::Offset { total: Some(_), size, .. } if page == 0 => {
                self.want(count(captured(0), "how many rows there are")?.div_ceil(size.max(1)), true);
                self.ask_ahead()
            }
            PageRule::Number { total_pages, .. } => {
                if total_pages.is_none() && rows > 0 {
                    self.want(page as u64 + 2, false);
                }
                self.ask_ahead()
            }
            PageRule::Offset { total, .. } => {
                if total.is_none() && rows > 0 {
                    self.want(page as u64 + 2, false);
                }
                self.ask_ahead()
            }
        }
    }

    /// Notes how many pages there are, or are at least.
    fn want(&mut self, pages: u64, is_known: bool) {
        let max = u64::from(self.pages.max);
        self.wanted = usize::try_from(pages.min(max)).unwrap_or(usize::MAX);
        if pages > max {
            let what = if is_known { format!("there are {pages} pages") } else { "there may be more pages".to_owned() };
            self.cut = Some(Failure::from(&self.too_many(&what)));
        }
    }

    /// Asks for the numbered pages that are wanted, as far as they are not too far ahead.
    fn ask_ahead(&mut self) -> Result<Vec<PartRequest>> {
        let mut requests = Vec::new();
        while self.asked < self.wanted.min(self.joined + 1 + MOST_AHEAD) {
            let number = self.asked as u64;
            let job = match &self.pages.by {
                PageRule::Number { page, from, .. } => with_param(&self.first, page, &(from + number).to_string()),
                PageRule::Offset { offset, size, .. } => {
                    with_param(&self.first, offset, &number.saturating_mul(*size).to_string())
                }
                PageRule::Next { .. } | PageRule::Link => break,
            };
            requests.extend(self.ask(job)?);
        }
        Ok(requests)
    }

    fn ask(&mut self, job: Job) -> Result<Vec<PartRequest>> {
        if self.asked >= self.pages.max as usize {
            return Err(self.too_many("there are more pages"));
        }
        if !self.sent.insert(job.digest()) {
            let text = format!("page {} leads to a page that was there before: {}", self.joined + 1, job.written_url());
            return Err(Error::new(Kind::Redirect, text));
        }
        let part = self.asked;
        self.asked += 1;
        Ok(vec![PartRequest::new(job, part)])
    }

    fn too_many(&self, what: &str) -> Error {
        let max = self.pages.max;
        Error::new(Kind::TooLarge, format!("{what}, and at most {max} are read: raise pages.max if there may be"))
    }

    /// The request of a page at a URL that an answer names.
    fn page_at(&self, target: &str, base: Option<&Url>) -> Result<Job> {
        let first = self.first.url();
        let refuse = |shown: &str, why: &str| {
            let text = format!("the next page {} {why}", without_password(shown));
            Err(Error::new(Kind::Redirect, text).in_phase(Phase::Body))
        };
        let Ok(url) = base.unwrap_or(first).join(target) else { return refuse(target, "is no URL") };
        let origin = match parse_url(url.as_str()).and_then(|url| Origin::of(&url)) {
            Ok(origin) if url.scheme().starts_with("http+") && url.scheme() != first.scheme() => {
                return refuse(origin.host(), "is at a unix-domain socket");
            }
            Ok(origin) => origin,
            Err(error) => return refuse(target, &format!("cannot be fetched: {}", error.one_line())),
        };
        if first.scheme() == "https" && url.scheme() == "http" {
            return refuse(url.as_str(), "would leave https");
        }
        let is_elsewhere = Origin::of(first).is_ok_and(|first| first != origin);
        let has_credentials = self.first.credentials().next().is_some() || !self.first.secrets().is_empty();
        if is_elsewhere && has_credentials {
            return refuse(url.as_str(), "is at another origin, and the request has credentials");
        }
        let written = url.to_string();
        Ok(self.first.clone().at_url(url, &written))
    }

    /// The first request with a value in its JSON.
    fn with_json(&self, place: &crate::pointer::Pointer, value: &Cell) -> Result<Job> {
        let content = self.first.settings().data.clone().unwrap_or_default();
        let text = String::from_utf8_lossy(&content);
        let text = if text.trim().is_empty() { "null" } else { &*text };
        let steps = place.to_string();
        let steps: Vec<String> =
            steps.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        match json_set(text, &steps, &value.to_json()) {
            Some(text) => Ok(self.first.clone().with(|settings| settings.data = Some(text.into_bytes().into()))),
            None => {
                let text =
                    format!("the next page's value cannot be put at {place} of what is sent, which is no JSON with it");
                Err(Error::new(Kind::Redirect, text))
            }
        }
    }

    /// Adds a page to the whole.
    ///
    /// # Errors
    /// There are more rows than the source may have: the first are kept.
    fn join(&mut self, mut page: Outcome) -> Result<()> {
        self.joined += 1;
        let room = self.max_rows - self.rows;
        let came: usize = page.rows.iter().map(|rows| rows.rows.len()).sum();
        if came > room {
            keep_first(&mut page.rows, room);
        }
        self.rows += came.min(room);
        let rows = if self.keeps_rows { page.rows.clone() } else { std::mem::take(&mut page.rows) };
        if came > 0 {
            self.new_rows.push(PageOfRows { page: self.joined, rows });
        }
        if !self.keeps_rows {
            page.held = Default::default();
        }
        self.join_outcome(page);
        if came > room {
            let (most, page) = (self.max_rows, self.joined);
            let text =
                format!("page {page} has more rows than are left of max_rows, {most}: the first {most} are kept");
            return Err(Error::new(Kind::TooLarge, text).in_phase(Phase::Body));
        }
        Ok(())
    }

    fn join_outcome(&mut self, mut page: Outcome) {
        let Some(whole) = &mut self.whole else {
            page.requests = Some(1);
            if let Some(failure) = &mut page.error {
                failure.message = format!("page 1: {}", failure.message).into();
            }
            self.whole = Some(page);
            return;
        };
        whole.requests = Some(self.joined as u32);
        join_rows(&mut whole.rows, page.rows);
        whole.held.join(page.held);
        whole.join_waits(page.waits.as_deref());
        add_request(whole, &page.url, page.attempts, page.body_bytes);
        // Of several contents none is the content.
        (whole.body, whole.body_file) = (None, None);
        whole.status = page.status;
        if let Some(mut failure) = page.error {
            failure.message = format!("page {}: {}", self.joined, failure.message).into();
            whole.error.get_or_insert(failure);
        }
        // The oldest page says how old the whole is.
        if page.stale.as_ref().map(|stale| stale.age_s) > whole.stale.as_ref().map(|stale| stale.age_s) {
            whole.stale = page.stale;
        }
    }
}

/// Adds what another request of the source, at this URL, took.
pub(super) fn add_request(whole: &mut Outcome, url: &str, mut attempts: Vec<Attempt>, body_bytes: Option<u64>) {
    if *url != *whole.url {
        attempts.iter_mut().for_each(|attempt| _ = attempt.url.get_or_insert_with(|| url.into()));
    }
    whole.attempts.extend(attempts);
    whole.body_bytes = whole.body_bytes.map(|bytes| bytes + body_bytes.unwrap_or(0)).or(body_bytes);
    let first = whole.attempts.iter().map(|attempt| attempt.started).min();
    let last = whole.attempts.iter().map(|attempt| attempt.started + attempt.total).max();
    if let (Some(first), Some(last)) = (first, last) {
        whole.timings.total = last - first;
    }
}

/// Leaves the first of these rows.
fn keep_first(all: &mut [Rows], mut room: usize) {
    for rows in all {
        rows.rows.truncate(room);
        room -= rows.rows.len();
    }
}

/// Whether a value leads to another page.
fn leads_on(value: &Cell) -> bool {
    !matches!(value, Cell::Null | Cell::Bool(_)) && !value.as_text().trim().is_empty()
}

/// A number in an answer.
fn count(value: Option<&Cell>, what: &str) -> Result<u64> {
    let wrong = |found: &str| {
        let text = format!("{what} is {found} where a whole number is expected");
        Err(Error::new(Kind::Expectation, text).in_phase(Phase::Body))
    };
    let Some(value) = value else { return wrong("not there") };
    let text = value.as_text();
    match text.trim().parse() {
        Ok(count) => Ok(count),
        Err(_) => wrong(&text.chars().take(40).collect::<String>()),
    }
}

/// The request with this parameter in its query, in place of one of that name.
fn with_param(job: &Job, name: &str, value: &str) -> Job {
    let mut url = job.url().clone();
    let is_other = |part: &&str| {
        let own = part.split('=').next().unwrap_or_default().replace('+', " ");
        !part.is_empty() && decode(own.as_bytes()) != name.as_bytes()
    };
    let mut parts: Vec<String> =
        url.query().unwrap_or_default().split('&').filter(is_other).map(str::to_owned).collect();
    parts.push(format!("{}={}", encode(name.as_bytes(), COMPONENT), encode(value.as_bytes(), COMPONENT)));
    url.set_query(Some(&parts.join("&")));
    let written = url.to_string();
    job.clone().at_url(url, &written)
}
