//! What a graph is made of: the jobs of one name, what they need, and how they are made.

use std::fmt;
use std::sync::Arc;

use super::values::JobValues;
use crate::error::Result;
use crate::job::Job;

/// The most jobs that are made for the rows of another, unless [`JobNode::max_jobs`] says otherwise.
pub const DEFAULT_MAX_JOBS: usize = 100_000;

/// Makes jobs when the values that they need are there. Every `Fn(&JobValues) -> Result<Job>` is one.
pub trait JobTemplate: Send + Sync {
    /// Makes a job. `member` counts the jobs of one node from 0: a node has several if the plan gives it an `each`.
    ///
    /// # Errors
    /// Why these values make no job: the source fails with it, and no other.
    fn make(&self, member: usize, values: &JobValues) -> Result<Job>;

    /// The name and the URL under which a job is reported that could not be made. By default the name of the node, and no
    /// URL.
    fn names(&self, _member: usize) -> Option<(Arc<str>, Arc<str>)> {
        None
    }

    /// Whether it makes jobs that keep responses.
    fn keeps_responses(&self) -> bool {
        false
    }

    /// What it makes, in a line for people.
    fn explain(&self) -> Option<String> {
        None
    }
}

/// Changes a job that was made.
#[derive(Clone)]
pub(super) struct ChangeJob(pub(super) Arc<dyn Fn(Job) -> Job + Send + Sync>);

impl<F: Fn(&JobValues) -> Result<Job> + Send + Sync> JobTemplate for F {
    fn make(&self, _member: usize, values: &JobValues) -> Result<Job> {
        self(values)
    }
}

/// One job of a graph, or several that are alike: those that are made for the rows of another one.
#[derive(Clone)]
pub struct JobNode {
    pub(super) name: Arc<str>,
    /// Jobs that need nothing.
    pub(super) ready: Vec<Job>,
    /// How the other jobs are made.
    pub(super) template: Option<Arc<dyn JobTemplate>>,
    /// How many jobs there are: for a node that has one for each row, 1.
    pub(super) members: usize,
    /// The values that it needs: job and value, which is empty if it only comes after that job.
    pub(super) needs: Vec<(Box<str>, Box<str>)>,
    pub(super) for_each: Option<ForEach>,
    pub(super) report: bool,
    pub(super) secret: Vec<Box<str>>,
    /// Whether it can give a value to others: it is one job with one set of values.
    pub(super) single: bool,
    /// What is done to each job that is made.
    pub(super) changes: Vec<ChangeJob>,
}

/// The rows that a node has jobs for.
#[derive(Clone, Debug)]
pub(super) struct ForEach {
    pub(super) source: Box<str>,
    /// The fields of a row that are needed; all of them if it is not known which.
    pub(super) fields: Option<Vec<Box<str>>>,
    pub(super) key: Option<Box<str>>,
    pub(super) max_jobs: usize,
    /// Whether the template gives each job a name of its own.
    pub(super) named: bool,
}

impl JobNode {
    /// A job that needs no other one. Others know it by its name.
    pub fn job(job: Job) -> JobNode {
        let name = job.name().into();
        JobNode { ready: vec![job], ..JobNode::new(name, None) }
    }

    /// A job that is made when the values that it needs are there, each written as `login.token`: the value `token` of the
    /// job `login`. It waits for these jobs and for no other.
    pub fn needing<N: AsRef<str>>(
        name: &str,
        needs: impl IntoIterator<Item = N>,
        template: impl JobTemplate + 'static,
    ) -> JobNode {
        JobNode::new(name.into(), Some(Arc::new(template))).and_needs(needs)
    }

    /// A job for each row of another one, or for each of the jobs that are made of that. They start as rows come. The fields
    /// of the row are values such as `items.id`.
    ///
    /// ```
    /// use roundup::Job;
    /// use roundup::graph::{JobGraph, JobNode, JobValues};
    ///
    /// let items = Job::get("https://api.example.com/items")?.named("items").with(|settings| {
    ///     settings.rows = Some("/items".parse().expect("a pointer"));
    /// });
    /// let detail = |values: &JobValues| Job::get(&format!("https://api.example.com/items/{}", values.text("items.id")?));
    /// // Named detail[17] and so on; at most 500.
    /// let details = JobNode::for_each("detail", "items", detail).key("id").max_jobs(500);
    /// // The list is asked for when the login has set its cookie.
    /// let login = Job::get("https://api.example.com/login")?.named("login").with(|settings| settings.cookies = true);
    /// let items = JobNode::needing("items", [] as [&str; 0], move |_: &JobValues| Ok(items.clone())).after(["login"]);
    /// let graph = JobGraph::new([JobNode::job(login), items, details])?;
    /// # drop(graph);
    /// # Ok::<(), roundup::Error>(())
    /// ```
    pub fn for_each(name: &str, source: &str, template: impl JobTemplate + 'static) -> JobNode {
        JobNode { template: Some(Arc::new(template)), ..JobNode::rows_of(name, source) }
    }

    /// The same without a template.
    pub(crate) fn rows_of(name: &str, source: &str) -> JobNode {
        let for_each =
            ForEach { source: source.into(), fields: None, key: None, max_jobs: DEFAULT_MAX_JOBS, named: false };
        JobNode { for_each: Some(for_each), single: false, ..JobNode::new(name.into(), None) }
    }

    pub(crate) fn new(name: Arc<str>, template: Option<Arc<dyn JobTemplate>>) -> JobNode {
        JobNode {
            name,
            ready: Vec::new(),
            template,
            members: 1,
            needs: Vec::new(),
            for_each: None,
            report: true,
            secret: Vec::new(),
            single: true,
            changes: Vec::new(),
        }
    }

    /// Adds jobs that it waits for without a value of theirs, such as one that logs in by a cookie. It is skipped if one of
    /// them fails.
    pub fn after<N: AsRef<str>>(self, jobs: impl IntoIterator<Item = N>) -> JobNode {
        jobs.into_iter().fold(self, |node, job| node.and_needs([format!("{}.", job.as_ref())]))
    }

    /// Adds values that it needs, besides fields of its row.
    pub fn and_needs<N: AsRef<str>>(mut self, needs: impl IntoIterator<Item = N>) -> JobNode {
        for need in needs {
            let (job, value) = need.as_ref().split_once('.').unwrap_or((need.as_ref(), ""));
            let need = (job.into(), value.into());
            if !self.needs.contains(&need) {
                self.needs.push(need);
            }
        }
        self
    }

    /// Names the jobs by this field of their rows: `detail[17]`. By default they are numbered from 1 in the order of the
    /// rows, `detail[2]`, and if the rows come from several sources, they say which one: `detail[berlin.2]`.
    pub fn key(mut self, field: &str) -> JobNode {
        if let Some(for_each) = &mut self.for_each {
            for_each.key = Some(field.into());
        }
        self
    }

    /// The most jobs that are made for rows; [`DEFAULT_MAX_JOBS`] by default. For the rows beyond it there is one source
    /// that has failed.
    pub fn max_jobs(mut self, max: usize) -> JobNode {
        if let Some(for_each) = &mut self.for_each {
            for_each.max_jobs = max;
        }
        self
    }

    /// Whether its outcomes are reported; yes by default. One that failed is reported all the same, because nothing else
    /// would say why others were skipped.
    pub fn report(mut self, report: bool) -> JobNode {
        self.report = report;
        self
    }

    /// The values of it that are hidden wherever they would be shown.
    pub fn secret<N: Into<Box<str>>>(mut self, values: impl IntoIterator<Item = N>) -> JobNode {
        self.secret = values.into_iter().map(Into::into).collect();
        self
    }

    /// How many jobs the template makes.
    #[cfg(feature = "plan")]
    pub(crate) fn members(mut self, members: usize) -> JobNode {
        self.members = members;
        self
    }

    /// The jobs that need nothing.
    #[cfg(feature = "plan")]
    pub(crate) fn with_ready(mut self, ready: Vec<Job>) -> JobNode {
        self.ready = ready;
        self
    }

    /// How jobs are made.
    #[cfg(feature = "plan")]
    pub(crate) fn with_template(mut self, template: Arc<dyn JobTemplate>) -> JobNode {
        self.template = Some(template);
        self
    }

    /// It has several jobs or rows, so that no single value can be taken from it.
    #[cfg(feature = "plan")]
    pub(crate) fn many(mut self) -> JobNode {
        self.single = false;
        self
    }

    /// The fields of rows that are needed, and whether the template names its jobs.
    #[cfg(feature = "plan")]
    pub(crate) fn fields(mut self, fields: Vec<Box<str>>, named: bool) -> JobNode {
        if let Some(for_each) = &mut self.for_each {
            (for_each.fields, for_each.named) = (Some(fields), named);
        }
        self
    }

    /// Makes a job.
    #[cfg(feature = "fetcher")]
    pub(super) fn make(&self, member: usize, values: &JobValues) -> Result<Job> {
        use crate::error::{Error, Kind};
        let template = self.template.as_ref().ok_or_else(|| Error::new(Kind::Skipped, "there is no job"))?;
        let job = template.make(member, values)?;
        Ok(self.noted(self.changes.iter().fold(job, |job, change| (change.0)(job))))
    }

    /// One of its jobs, which knows whether others take secrets out of its answer.
    pub(super) fn noted(&self, job: Job) -> Job {
        if self.secret.is_empty() { job } else { job.giving_secrets() }
    }

    /// The name of a job of it that is made later, as far as it is known before.
    pub(super) fn member_name(&self, member: usize) -> Arc<str> {
        let names = self.template.as_ref().and_then(|template| template.names(member));
        names.map_or_else(|| self.name.clone(), |(name, _)| name)
    }

    /// Number, name and URL of its jobs that are made later, as far as they are known before.
    #[cfg(feature = "merge")]
    pub(super) fn late_members(&self) -> impl Iterator<Item = (usize, Arc<str>, Arc<str>)> + '_ {
        self.template.iter().flat_map(|template| {
            (0..self.members).map(|member| {
                let (name, url) = template.names(member).unwrap_or_else(|| (self.name.clone(), "".into()));
                (member, name, url)
            })
        })
    }

    /// Its name, what its template says of itself, and whether it is reported.
    #[cfg(feature = "plan")]
    pub(crate) fn explain(&self) -> (&str, Option<String>, bool) {
        (&self.name, self.template.as_ref().and_then(|template| template.explain()), self.report)
    }

    /// The job whose rows it has jobs for.
    #[cfg(feature = "plan")]
    pub(crate) fn rows_of_what(&self) -> Option<&str> {
        self.for_each.as_ref().map(|for_each| &*for_each.source)
    }

    /// How many places of the input it takes.
    pub(crate) fn size(&self) -> usize {
        self.members.max(self.ready.len())
    }

    /// The names of the jobs that it waits for, each once, and of the one that it has rows of.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        let rows = self.for_each.iter().map(|for_each| &*for_each.source);
        self.needs.iter().map(|(job, _)| &**job).chain(rows)
    }
}

impl fmt::Debug for JobNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<&str> = self.sources().collect();
        f.debug_struct("JobNode").field("name", &self.name).field("sources", &sources).finish_non_exhaustive()
    }
}
