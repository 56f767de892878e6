//! Which job may run now, and which follow from an outcome. Pure: outcomes go in, jobs come out.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::captured::{Captured, hide, secrets_of};
use super::course::Course;
use super::job_graph::JobGraph;
use super::login::Login;
use super::node_run::{NodeRun, request_bytes};
use super::paging::PageOfRows;
use super::requests::{Answered, NextRequest, Requests};
use super::row_source::{NextRow, RowOrigin, RowSource};
use super::step::Step;
use super::values::JobValues;
use crate::body::HeldMemory;
use crate::error::{Error, Kind};
use crate::job::Job;
use crate::outcome::{Failure, Outcome, PageRows};
use crate::rows::Rows;

/// How many jobs of one node are in the fetcher at a time. What one slow host holds up does not fill it, and the rows of a
/// source become jobs only when they are about to run.
const MOST_STARTED: usize = 1000;

/// How many rows whose jobs are in other shards are passed by before others have their turn.
const MOST_PASSED_BY: usize = 256;

/// How many secrets are taken from jobs that are made in a run.
const MOST_SECRETS: usize = 1000;

/// A run of a graph.
pub(super) struct GraphRun {
    nodes: Vec<NodeRun>,
    /// Sources that have begun and not ended, by the index of their outcome.
    sources: HashMap<usize, SourceRun>,
    requests: Requests,
    /// Outcomes of an earlier run by the names of their jobs.
    known: HashMap<Arc<str>, Outcome>,
    /// Outcomes of jobs that are not to be sent, likewise.
    #[cfg(feature = "watch")]
    left_out: HashMap<Arc<str>, Outcome>,
    /// The nodes that may have a job to start, by turns.
    turns: VecDeque<usize>,
    /// Whether rows are given out page by page, and if so, whether outcomes have them, too.
    by_pages: Option<bool>,
    /// Rows of pages that have not been taken.
    pages: VecDeque<PageRows>,
    /// Outcomes that have not been taken.
    finished: VecDeque<Outcome>,
    /// Secrets that were found since they were last taken, and all that were found before.
    secrets: Vec<String>,
    known_secrets: HashSet<String>,
    /// How many rows were passed by, because their jobs are in other shards, since there was a turn for others.
    passed_by: usize,
    /// The next index of an outcome whose job is not in the input.
    next_index: usize,
    /// The memory of the run, which holds what is copied of outcomes.
    memory: HeldMemory,
}

/// What may be done now.
pub(super) enum NextStart {
    /// Send this, in time; the number is to be its place.
    Send(Box<Job>, Option<Instant>),
    /// Read or write this file, and then say how it went.
    File(TokenFile),
    /// Nothing before this time, or before an outcome comes.
    At(Instant),
    /// More may follow at once, when others have had their turn.
    Yield,
    /// Nothing before an outcome comes.
    Wait,
    /// All has ended.
    Done,
}

/// The file with the refresh token of a login.
#[derive(Debug)]
pub(super) struct TokenFile {
    login: usize,
    pub(super) path: PathBuf,
    /// What is to be written; otherwise it is read.
    pub(super) save: Option<String>,
}

/// A source that has begun.
struct SourceRun {
    node: usize,
    name: Arc<str>,
    url: Arc<str>,
    /// The URL of its first request.
    base: Arc<str>,
    order: Box<[u32]>,
    course: Course,
    /// How many rows of it have gone to the nodes that read them.
    rows_read: usize,
    /// What its request takes in memory.
    bytes: usize,
}

impl GraphRun {
    /// A run of this graph. `ready` are the jobs that need nothing, as [`JobGraph::take_ready`] gave them.
    pub(super) fn new(graph: &JobGraph, ready: impl IntoIterator<Item = Job>) -> GraphRun {
        let by_name = graph.by_name();
        // A node has all places up to that of the next one.
        let ends = graph.places.iter().copied().skip(1).chain([graph.places()]);
        let places = graph.places.iter().zip(ends).map(|(place, end)| *place..end);
        let nodes = graph.nodes.iter().zip(places).enumerate();
        let mut nodes: Vec<NodeRun> = nodes
            .map(|(index, (node, places))| {
                let members = graph.late_members(index).collect();
                NodeRun::new(node.clone(), places, members, graph.shard_of(index))
            })
            .collect();
        for index in 0..nodes.len() {
            let node = nodes[index].node.clone();
            let givers: Vec<usize> = node.needs.iter().filter_map(|(job, _)| by_name.get(&**job).copied()).collect();
            let needs: BTreeSet<usize> = givers.iter().copied().collect();
            nodes[index].missing = needs.len();
            nodes[index].givers = givers;
            needs.into_iter().for_each(|need| nodes[need].users.push(index));
            if let Some(source) = node.for_each.as_ref().and_then(|it| by_name.get(&*it.source)) {
                nodes[*source].readers.push(index);
            }
        }
        for job in ready {
            let place = job.index().unwrap_or_default();
            if let Some(node) = graph.node_at(place) {
                nodes[node].ready.push_back((place, job));
            }
        }
        let mut run = GraphRun {
            turns: (0..nodes.len()).collect(),
            nodes,
            sources: HashMap::new(),
            requests: Requests::new(&graph.logins),
            known: by_job(&graph.known),
            #[cfg(feature = "watch")]
            left_out: by_job(&graph.left_out),
            by_pages: None,
            pages: VecDeque::new(),
            finished: VecDeque::new(),
            secrets: Vec::new(),
            known_secrets: HashSet::new(),
            passed_by: 0,
            next_index: graph.places(),
            memory: HeldMemory::default(),
        };
        run.learn(graph.logins.iter().flat_map(Login::secrets));
        // A node of which all jobs were left out has ended.
        run.end_nodes((0..run.nodes.len()).collect());
        run
    }

    /// The next job to send, if one may go now.
    pub(super) fn next(&mut self, now: Instant) -> NextStart {
        loop {
            let at = match self.requests.next(now) {
                NextRequest::Send(job, ends) => return NextStart::Send(job, ends),
                NextRequest::File { login, save } => {
                    let path = self.requests.file_of(login).unwrap_or_default();
                    return NextStart::File(TokenFile { login, path, save });
                }
                NextRequest::Failed(source, part, outcome) => {
                    self.part_answered(source, part, *outcome, now);
                    continue;
                }
                NextRequest::At(at) => Some(at),
                NextRequest::None => None,
            };
            if self.passed_by >= MOST_PASSED_BY {
                self.passed_by = 0;
                return NextStart::Yield;
            }
            if let Some(index) = self.turns.pop_front() {
                if self.start_one(index, now) {
                    self.turns.push_back(index);
                }
                continue;
            }
            return match at {
                Some(at) => NextStart::At(at),
                None if self.nodes.iter().all(|node| node.done) => NextStart::Done,
                None => NextStart::Wait,
            };
        }
    }

    /// Takes the outcome of a request.
    pub(super) fn answered(&mut self, outcome: Outcome, now: Instant) {
        if !self.memory.is_of_run() {
            self.memory = outcome.held.for_copy(0);
        }
        match self.requests.answered(outcome, now) {
            Some(Answered::Part(source, part, outcome)) => self.part_answered(source, part, *outcome, now),
            Some(Answered::Secrets(secrets)) => self.learn(secrets),
            None => {}
        }
    }

    fn part_answered(&mut self, index: usize, part: usize, outcome: Outcome, now: Instant) {
        let Some(source) = self.sources.get_mut(&index) else { return };
        let step = source.course.answered(part, outcome, now);
        for page in source.course.take_rows().unwrap_or_default() {
            self.give_page(index, page);
        }
        self.take(index, step);
    }

    /// Gives the rows of a page to those that read them.
    fn give_page(&mut self, index: usize, PageOfRows { page, mut rows }: PageOfRows) {
        let Some(source) = self.sources.get(&index) else { return };
        let (name, node) = (source.name.clone(), source.node);
        // Before a job that is made of a row can show it.
        self.learn(secrets_of(&rows, &self.nodes[node].node.secret));
        self.give_rows(index, &rows);
        let node = &self.nodes[node].node;
        if self.by_pages.is_some() && node.report {
            hide(&mut rows, &node.secret);
            self.pages.push_back(PageRows { index, name, page, rows });
        }
    }

    /// A file of a login was read or written.
    pub(super) fn file_done(&mut self, file: &TokenFile, result: Result<Option<String>, String>) {
        let secrets = self.requests.file_done(file.login, result, file.save.is_some());
        self.learn(secrets);
    }

    /// Gives out rows page by page from now on. If outcomes do not `keep` them, they are nowhere else.
    pub(super) fn give_pages(&mut self, keep: bool) {
        self.by_pages = Some(keep);
    }

    /// The rows of the next page, which come before the outcome of their source.
    pub(super) fn take_page(&mut self) -> Option<PageRows> {
        self.pages.pop_front()
    }

    /// The next outcome of a source.
    pub(super) fn take_finished(&mut self) -> Option<Outcome> {
        self.finished.pop_front()
    }

    /// Whether there is an outcome of a source that was not taken.
    pub(super) fn has_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    /// The secrets that were found since the last call. They are to be hidden before any outcome is shown that came after.
    pub(super) fn take_secrets(&mut self) -> Vec<String> {
        std::mem::take(&mut self.secrets)
    }

    /// Ends all that has not ended, because the run was stopped.
    pub(super) fn stop(&mut self, why: &str) {
        self.requests.clear();
        self.turns.clear();
        let failure = || Failure::from(&Error::new(Kind::Skipped, why.to_owned()));
        let mut open: Vec<usize> = self.sources.keys().copied().collect();
        open.sort_unstable();
        for index in open {
            let step = self.sources.get_mut(&index).map(|source| source.course.cut_short(failure()));
            if let Some(outcome) = step {
                self.finish(index, outcome);
            }
        }
        for index in 0..self.nodes.len() {
            if !self.nodes[index].done && (self.nodes[index].rows_may_come || !self.nodes[index].is_used_up()) {
                self.skip(index, why);
            }
            self.nodes[index].done = true;
        }
    }

    /// Starts one job of a node. Whether it may have more.
    fn start_one(&mut self, index: usize, now: Instant) -> bool {
        let node = &mut self.nodes[index];
        if node.done || node.skipped || node.missing > 0 || node.started >= MOST_STARTED {
            return false;
        }
        if let Some((place, job)) = node.ready.pop_front() {
            self.begin(index, place, [place as u32].into(), Ok(job), now);
            return true;
        }
        if !node.has_room() {
            return false;
        }
        if node.node.for_each.is_some() {
            return self.start_row(index, now);
        }
        let Some(member) = node.members.pop_front() else { return false };
        let values = self.values_for(index);
        let node = &mut self.nodes[index];
        let place = node.place + member;
        let made = node.node.make(member, &values);
        self.begin(index, place, [place as u32].into(), made, now);
        true
    }

    /// Starts the job of a row. Whether there may be more rows.
    fn start_row(&mut self, index: usize, now: Instant) -> bool {
        let values = self.values_for(index);
        let node = &mut self.nodes[index];
        let Some(rows) = node.rows.front_mut() else { return false };
        let Some(NextRow { values: mut row, number, key }) = rows.next() else {
            node.rows.pop_front();
            return true;
        };
        values.iter().for_each(|(name, value)| row.add(name.clone(), value.clone()));
        let order: Box<[u32]> =
            [node.place as u32].into_iter().chain(rows.origin.order.iter().copied()).chain([number as u32]).collect();
        let most = node.node.for_each.as_ref().map_or(0, |for_each| for_each.max_jobs);
        let made = if node.made < most {
            let held = node.may_hold(&key).then(|| node.node.make(0, &row));
            held.and_then(|made| made.map(|job| node.name_job(job, &key)).transpose())
        } else {
            // The rows that are left would fail in the same way.
            let left = 1 + node.rows.iter().map(RowSource::len).sum::<usize>();
            node.rows.clear();
            let text = format!("there are at least {left} rows more than max_jobs, {most}: raise it if there may be");
            Some(Err(Error::new(Kind::TooLarge, text)))
        };
        node.made += 1;
        let Some(made) = made else {
            // It is in another shard.
            self.passed_by += 1;
            self.end_nodes(vec![index]);
            return true;
        };
        let outcome_index = self.next_index;
        self.next_index += 1;
        self.begin(index, outcome_index, order, made, now);
        true
    }

    /// The values that the node needs of others.
    fn values_for(&self, index: usize) -> JobValues {
        let mut values = JobValues::default();
        let node = &self.nodes[index];
        for ((job, name), giver) in node.node.needs.iter().zip(&node.givers) {
            let captured = self.nodes[*giver].captured.as_ref();
            if let Some(value) = captured.and_then(|captured| captured.value(name)) {
                values.add(format!("{job}.{name}").into(), value);
            }
        }
        values
    }

    /// Begins a source with its first requests, or ends it at once if there is no job.
    fn begin(&mut self, node: usize, index: usize, order: Box<[u32]>, made: Result<Job, Error>, now: Instant) {
        self.nodes[node].started += 1;
        match made {
            Ok(job) => {
                self.learn(job.credentials());
                let bytes = request_bytes(&job);
                self.nodes[node].started_bytes += bytes;
                let (name, url, base) = (job.name().into(), job.written_url().into(), job.url().as_str().into());
                let known = self.known_outcome(node, &job);
                #[cfg(feature = "watch")]
                let known = self.left_out.remove(job.name()).or(known);
                if let Some(outcome) = known {
                    let course = Course::single();
                    self.sources.insert(index, SourceRun { node, name, url, base, order, course, rows_read: 0, bytes });
                    return self.finish(index, outcome);
                }
                let (course, request) = Course::begin(job, self.by_pages.unwrap_or(true), now);
                self.sources.insert(index, SourceRun { node, name, url, base, order, course, rows_read: 0, bytes });
                self.requests.put(index, request);
            }
            Err(error) => {
                let outcome = self.nodes[node].not_made(index, Failure::from(&error));
                let (name, url, base) = (outcome.name.clone(), outcome.url.clone(), outcome.url.clone());
                let source =
                    SourceRun { node, name, url, base, order, course: Course::single(), rows_read: 0, bytes: 0 };
                self.sources.insert(index, source);
                self.finish(index, outcome);
            }
        }
    }

    /// The outcome that an earlier run has of this job. What a node needs of it is not kept, because it may be secret.
    fn known_outcome(&mut self, node: usize, job: &Job) -> Option<Outcome> {
        let known = self.known.get(job.name()).filter(|_| self.nodes[node].users.is_empty());
        known.is_some_and(|outcome| outcome.digest == Some(job.digest())).then(|| self.known.remove(job.name()))?
    }

    /// Notes secrets that are to be hidden.
    fn learn(&mut self, secrets: impl IntoIterator<Item = String>) {
        for secret in secrets {
            // Each is looked for in all texts; children with a password each are hidden where they stand alone.
            if self.known_secrets.len() < MOST_SECRETS && self.known_secrets.insert(secret.clone()) {
                self.secrets.push(secret);
            }
        }
    }

    fn take(&mut self, index: usize, step: Step) {
        match step {
            Step::Done(outcome) => self.finish(index, *outcome),
            Step::More(requests) => requests.into_iter().for_each(|request| self.requests.put(index, request)),
        }
    }

    /// Gives the rows of a page to the nodes that have jobs for them.
    fn give_rows(&mut self, index: usize, rows: &[Rows]) {
        let Some(source) = self.sources.get_mut(&index) else { return };
        let first = source.rows_read;
        source.rows_read += rows.iter().map(|rows| rows.rows.len()).sum::<usize>();
        let (node, own_name) = (source.node, self.nodes[source.node].own_name(&source.name));
        let origin = RowOrigin { order: source.order.clone(), base: Some(source.base.clone()), own_name };
        self.give(node, rows, first, &origin);
    }

    fn give(&mut self, node: usize, rows: &[Rows], first: usize, origin: &RowOrigin) {
        for reader in self.nodes[node].readers.clone() {
            let reading = &mut self.nodes[reader];
            if let Some(for_each) = reading.node.for_each.as_ref().filter(|_| !reading.skipped) {
                reading.rows.extend(RowSource::of(rows, for_each, first, origin, &self.memory));
            }
            self.turns.push_back(reader);
        }
    }

    /// Ends a source: what it gives goes to those that wait for it, and its outcome to the report.
    fn finish(&mut self, index: usize, mut outcome: Outcome) {
        let Some(source) = self.sources.remove(&index) else { return };
        let own_name = self.nodes[source.node].own_name(&source.name);
        (outcome.index, outcome.name, outcome.url) = (index, source.name, source.url);
        outcome.place = Some(source.order.clone());
        let node = &mut self.nodes[source.node];
        node.started -= 1;
        node.started_bytes -= source.bytes;
        // Jobs that are made of its rows get them as they came.
        let rows = (!source.course.gives_rows()).then(|| RowSource::rows_of(&outcome));
        let mut found = secrets_of(&outcome.rows, &node.node.secret);
        let captured = Captured::take(&mut outcome, &node.node.secret, source.base, !node.users.is_empty());
        found.extend(captured.secrets());
        node.failed |= !outcome.ok();
        node.captured = Some(captured);
        self.learn(found);
        let node = &self.nodes[source.node];
        let is_shown = node.node.report || !outcome.ok();
        if let Some(rows) = rows {
            let base = self.nodes[source.node].captured.as_ref().and_then(Captured::base);
            self.give(source.node, &rows, 0, &RowOrigin { order: source.order, base, own_name });
        }
        self.turns.push_back(source.node);
        if is_shown {
            self.finished.push_back(outcome);
        }
        self.end_nodes(vec![source.node]);
    }

    /// Ends those of these nodes of which nothing is left, and all that follows from that.
    fn end_nodes(&mut self, mut nodes: Vec<usize>) {
        while let Some(index) = nodes.pop() {
            if !self.nodes[index].has_ended() {
                continue;
            }
            self.nodes[index].done = true;
            self.nodes[index].names = HashSet::new();
            let name = self.nodes[index].node.name.clone();
            let how = self.nodes[index].how_it_failed();
            for reader in self.nodes[index].readers.clone() {
                self.nodes[reader].rows_may_come = false;
                if let (Some(how), true) = (how, self.nodes[reader].has_no_rows()) {
                    self.skip(reader, &format!("\"{name}\" {how}, and this is made for its rows"));
                }
                nodes.push(reader);
            }
            for user in self.nodes[index].users.clone() {
                self.nodes[user].missing -= 1;
                self.turns.push_back(user);
                if let Some(how) = how {
                    let why = self.nodes[user].why_skipped(&name, how);
                    self.skip(user, &why);
                }
                nodes.push(user);
            }
        }
    }

    /// Ends what has not begun of a node.
    fn skip(&mut self, index: usize, why: &str) {
        let node = &mut self.nodes[index];
        if !std::mem::replace(&mut node.skipped, true) {
            let failure = Failure::from(&Error::new(Kind::Skipped, why.to_owned()));
            self.finished.extend(node.drain(&failure));
        }
    }
}

fn by_job(outcomes: &[Outcome]) -> HashMap<Arc<str>, Outcome> {
    outcomes.iter().map(|outcome| (outcome.name.clone(), outcome.clone())).collect()
}
