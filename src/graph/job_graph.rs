//! Jobs, and what each of them needs of others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::graph_shard::GraphShard;
use super::login::Login;
use super::node::{ChangeJob, JobNode};
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::outcome::Outcome;
use crate::shard::Shard;

/// Jobs that need values or rows of others. A graph that exists can be run: every name in it is known, and there is no
/// circle.
#[derive(Clone, Debug, Default)]
pub struct JobGraph {
    pub(super) nodes: Vec<JobNode>,
    /// Where each node begins in the input.
    pub(super) places: Vec<usize>,
    pub(super) logins: Vec<Login>,
    /// Outcomes of an earlier run, of jobs that the graph may make again.
    pub(super) known: Vec<Outcome>,
    /// The shard of which jobs are made; `None` for all.
    pub(super) shard: Option<GraphShard>,
    /// Outcomes in place of jobs that are not to be sent.
    #[cfg(feature = "watch")]
    pub(super) left_out: Vec<Outcome>,
}

/// A node of the tree as which a graph is drawn.
#[cfg(feature = "plan")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TreeNode {
    pub(crate) depth: usize,
    pub(crate) node: usize,
    /// The nodes that it waits for beside the one above it.
    pub(crate) also: Vec<usize>,
}

impl JobGraph {
    /// A graph of these nodes, in input order.
    ///
    /// # Errors
    /// [`Kind::Config`]: a name is there twice or not at all, a value is to be taken from a node that has several jobs, or
    /// nodes need each other in a circle.
    pub fn new(nodes: impl IntoIterator<Item = JobNode>) -> Result<JobGraph> {
        let mut graph = JobGraph::default();
        let mut place = 0;
        for node in nodes {
            graph.places.push(place);
            place += node.size();
            graph.nodes.push(node);
        }
        graph.check()?;
        Ok(graph)
    }

    /// Adds a login, which jobs name in [`Settings::auth`](crate::Settings::auth).
    pub fn login(mut self, login: Login) -> JobGraph {
        self.logins.push(login);
        self
    }

    /// Outcomes that an earlier run has of jobs that this one may make. A job of the same name that sends the same is not
    /// sent again and has this outcome, unless a value of it is needed: [`Outcome::digest`] tells, so those without one
    /// count for nothing.
    pub fn know(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.known.extend(outcomes);
    }

    /// Jobs that are not to be sent in this run, each by the name of the outcome that it has instead. Those that need one of
    /// them take that for its end.
    #[cfg(feature = "watch")]
    pub fn leave_out(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.left_out.extend(outcomes);
    }

    /// Whether others need the job of this place, or its rows.
    pub fn is_needed(&self, place: usize) -> bool {
        let at = self.places.partition_point(|first| *first <= place).checked_sub(1);
        let node = at.and_then(|at| self.nodes.get(at));
        node.is_some_and(|node| self.nodes.iter().any(|other| other.sources().any(|source| *source == *node.name)))
    }

    /// Makes the jobs of this shard, and those that they need: these run in each shard that has a job which may need them.
    /// `ready` are the jobs that need nothing, as [`take_ready`](Self::take_ready) gave them; those of other shards are taken
    /// out.
    ///
    /// A job that others need is in each shard that needs it, and in no other. One that is made for a row of another is in the shard that its own name says, without the number by which jobs of
    /// one key are told apart. Rows are not known before the run, so the job that gives them runs in each shard.
    ///
    /// Returns whether there may be a job that runs.
    pub fn keep_shard(&mut self, shard: Shard, ready: &mut Vec<Job>) -> bool {
        let node_of = |job: &Job| job.index().and_then(|place| self.node_at(place));
        let held = ready.iter().filter(|job| shard.holds(job.name())).filter_map(node_of).collect();
        let kept = GraphShard::new(shard, &self.nodes, &self.sources(), &held);
        ready.retain(|job| node_of(job).is_some_and(|node| kept.holds(node, job.name())));
        let may_run = !kept.is_empty();
        self.shard = Some(kept);
        may_run
    }

    /// The jobs of a node that are made later and run, by their numbers, without those that are made for rows.
    pub(crate) fn late_members(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let late = &self.nodes[node];
        let members = if late.template.is_some() && late.for_each.is_none() { late.members } else { 0 };
        let shard = self.shard.as_ref();
        (0..members).filter(move |member| shard.is_none_or(|shard| shard.holds(node, &late.member_name(*member))))
    }

    /// The shard that the jobs of a node are chosen by; `None` if all run.
    pub(crate) fn shard_of(&self, node: usize) -> Option<Shard> {
        self.shard.as_ref()?.of_node(node)
    }

    /// Whether values that are taken from answers are secret: tokens of logins, and those that a node says are.
    #[cfg(feature = "fleet")]
    pub(crate) fn has_secret_values(&self) -> bool {
        !self.logins.is_empty() || self.nodes.iter().any(|node| !node.secret.is_empty())
    }

    /// How many places of the input it takes.
    pub fn places(&self) -> usize {
        self.places.last().zip(self.nodes.last()).map_or(0, |(place, node)| place + node.size())
    }

    /// Takes out the jobs that need nothing. Each knows its place in the input.
    pub fn take_ready(&mut self) -> Vec<Job> {
        let mut ready = Vec::new();
        for (node, place) in self.nodes.iter_mut().zip(&self.places) {
            let jobs = std::mem::take(&mut node.ready).into_iter().enumerate();
            ready.extend(jobs.map(|(member, job)| node.noted(job.at(place + member))));
        }
        ready
    }

    /// How many jobs there are that wait for others, without those that are made for rows.
    pub fn known_late_jobs(&self) -> usize {
        (0..self.nodes.len()).map(|node| self.late_members(node).count()).sum()
    }

    /// The names of the jobs for whose rows there are others, each once.
    pub fn row_sources(&self) -> BTreeSet<&str> {
        self.nodes.iter().filter_map(|node| Some(&*node.for_each.as_ref()?.source)).collect()
    }

    /// What is made in the run and cannot be said before it: the names of the jobs that need others.
    pub fn late_names(&self) -> impl Iterator<Item = String> + '_ {
        self.nodes.iter().filter(|node| node.template.is_some()).map(|node| node.name.to_string())
    }

    /// The same with what they do, as far as it is known before.
    pub fn late_jobs(&self) -> impl Iterator<Item = (&str, Option<String>)> {
        let templates = self.nodes.iter().filter_map(|node| Some((&*node.name, node.template.as_ref()?)));
        templates.map(|(name, template)| (name, template.explain()))
    }

    /// Place, name and URL of the jobs that wait for others, without those that are made for rows.
    #[cfg(feature = "merge")]
    pub(crate) fn late_sources(&self) -> impl Iterator<Item = (usize, Arc<str>, Arc<str>)> + '_ {
        let nodes = self.nodes.iter().zip(&self.places).filter(|(node, _)| node.for_each.is_none());
        nodes.flat_map(|(node, place)| node.late_members().map(move |(member, name, url)| (place + member, name, url)))
    }

    /// The tables whose jobs are made for rows, with their places.
    #[cfg(feature = "merge")]
    pub(crate) fn tables_of_rows(&self) -> impl Iterator<Item = (Arc<str>, u32)> + '_ {
        let nodes = self.nodes.iter().zip(&self.places).filter(|(node, _)| node.for_each.is_some());
        nodes.map(|(node, place)| (node.name.clone(), u32::try_from(*place).unwrap_or(u32::MAX)))
    }

    /// Whether the outcome of the job of this place is reported, also if it did not fail.
    #[cfg(feature = "merge")]
    pub(crate) fn is_reported(&self, place: usize) -> bool {
        self.node_at(place).is_none_or(|node| self.nodes[node].report)
    }

    /// The node that a place in the input belongs to.
    pub(super) fn node_at(&self, place: usize) -> Option<usize> {
        self.places.partition_point(|first| *first <= place).checked_sub(1)
    }

    /// The nodes by name.
    pub(super) fn by_name(&self) -> HashMap<Arc<str>, usize> {
        self.nodes.iter().enumerate().map(|(index, node)| (node.name.clone(), index)).collect()
    }

    /// Whether jobs that it makes keep responses.
    pub fn keeps_responses(&self) -> bool {
        let templates = self.nodes.iter().filter_map(|node| node.template.as_ref());
        let mut ready = self.nodes.iter().flat_map(|node| &node.ready);
        templates.into_iter().any(|template| template.keeps_responses())
            || ready.any(|job| job.settings().keeps_responses())
    }

    /// Changes every job that the graph makes, as options of a command line do. Jobs that need nothing are changed by the
    /// caller, who has [taken them out](Self::take_ready).
    pub fn change_jobs(&mut self, change: impl Fn(Job) -> Job + Send + Sync + 'static) {
        let change = ChangeJob(Arc::new(change));
        self.nodes.iter_mut().for_each(|node| node.changes.push(change.clone()));
    }

    /// The graph as a tree: each node stands below the one that it has rows of, or the first that it needs.
    #[cfg(feature = "plan")]
    pub(crate) fn tree(&self) -> Vec<TreeNode> {
        let by_name = self.by_name();
        let sources: Vec<Vec<usize>> = self
            .nodes
            .iter()
            .map(|node| {
                let rows = node.for_each.iter().map(|for_each| &*for_each.source);
                let mut found: Vec<usize> = Vec::new();
                for source in rows.chain(node.needs.iter().map(|(job, _)| &**job)) {
                    found.extend(by_name.get(source).filter(|source| !found.contains(source)));
                }
                found
            })
            .collect();
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut stack: Vec<(usize, usize)> = Vec::new();
        for (node, sources) in sources.iter().enumerate().rev() {
            match sources.first() {
                // Reversed twice: the first in the input is on top of the stack.
                Some(above) => below[*above].push(node),
                None => stack.push((node, 0)),
            }
        }
        let mut tree = Vec::new();
        while let Some((node, depth)) = stack.pop() {
            let also = sources[node].iter().skip(1).copied().collect();
            tree.push(TreeNode { depth, node, also });
            stack.extend(below[node].iter().map(|child| (*child, depth + 1)));
        }
        tree
    }

    /// A node, and its first place in the input.
    #[cfg(feature = "plan")]
    pub(crate) fn node(&self, index: usize) -> (&JobNode, usize) {
        (&self.nodes[index], self.places[index])
    }

    /// The nodes that each node waits for or has rows of.
    fn sources(&self) -> Vec<Vec<usize>> {
        let by_name = self.by_name();
        let sources = |node: &JobNode| node.sources().filter_map(|source| by_name.get(source).copied()).collect();
        self.nodes.iter().map(sources).collect()
    }

    fn check(&self) -> Result<()> {
        let wrong = |text: String| Err(Error::new(Kind::Config, text));
        let by_name = self.by_name();
        for (index, node) in self.nodes.iter().enumerate() {
            if by_name.get(&node.name) != Some(&index) {
                return wrong(format!("two jobs are named \"{}\"", node.name));
            }
            for (job, value) in &node.needs {
                match by_name.get(&**job).map(|need| &self.nodes[*need]) {
                    None if value.is_empty() => {
                        return wrong(format!("\"{}\" comes after \"{job}\", and no job is named so", node.name));
                    }
                    None => {
                        return wrong(format!(
                            "\"{}\" needs {{{job}.{value}}}, and no job is named \"{job}\"",
                            node.name
                        ));
                    }
                    Some(need) if !need.single && !value.is_empty() => {
                        let text = format!("\"{job}\" has several jobs or rows: only for_each can use it");
                        return wrong(format!("\"{}\" needs {{{job}.{value}}}: {text}", node.name));
                    }
                    Some(_) => {}
                }
            }
            if let Some(for_each) = &node.for_each {
                if !by_name.contains_key(&*for_each.source) {
                    let text = format!("\"{}\" is made for each row of \"{}\"", node.name, for_each.source);
                    return wrong(format!("{text}, and there is no job of this name"));
                }
            }
        }
        match circle(&self.sources()) {
            Some(circle) => {
                let names: Vec<&str> = circle.iter().map(|index| &*self.nodes[*index].name).collect();
                wrong(format!("jobs need each other in a circle: {}", names.join(" needs ")))
            }
            None => Ok(()),
        }
    }
}

/// A circle, if there is one, as the numbers on it with the first one again at its end. `edges` are the numbers that each
/// number needs.
pub(crate) fn circle(edges: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // A path of numbers, and how many of the needs of each have been looked at. No recursion: a chain may be long.
        let mut path = vec![(start, 0)];
        marks[start] = Mark::OnPath;
        while let Some((number, looked_at)) = path.last_mut() {
            let Some(next) = edges[*number].get(*looked_at).copied() else {
                marks[*number] = Mark::Done;
                path.pop();
                continue;
            };
            *looked_at += 1;
            match marks[next] {
                Mark::New => {
                    marks[next] = Mark::OnPath;
                    path.push((next, 0));
                }
                Mark::OnPath => {
                    let on_path = path.iter().map(|(number, _)| *number).skip_while(|number| *number != next);
                    return Some(on_path.chain([next]).collect());
                }
                Mark::Done => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        assert_eq!(circle(&[vec![1], vec![2], vec![]]), None);
        assert_eq!(circle(&[vec![1, 2], vec![2], vec![]]), None);
        assert_eq!(circle(&[vec![0]]), Some(vec![0, 0]));
        assert_eq!(circle(&[vec![1], vec![2], vec![1]]), Some(vec![1, 2, 1]));
        let long: Vec<Vec<usize>> = (0..200_000).map(|number| vec![number + 1]).chain([vec![]]).collect();
        assert_eq!(circle(&long), None);
    }

    fn node(name: &str, needs: &[&str]) -> JobNode {
        JobNode::needing(name, needs.iter().copied(), |_: &super::super::JobValues| Job::get("http://a/"))
    }

    #[test]
    fn what_cannot_be_run_is_no_graph() {
        let rows = JobNode::for_each("rows", "a", |_: &super::super::JobValues| Job::get("http://a/"));
        for (nodes, message) in [
            (vec![node("a", &[]), node("a", &[])], "two jobs are named \"a\""),
            (vec![node("a", &["b.x"])], "\"a\" needs {b.x}, and no job is named \"b\""),
            (vec![node("a", &["b.x"]), node("b", &["a.x"])], "jobs need each other in a circle: a needs b needs a"),
            (vec![rows.clone()], "\"rows\" is made for each row of \"a\", and there is no job of this name"),
            (
                vec![node("a", &[]), rows, node("b", &["rows.x"])],
                "\"b\" needs {rows.x}: \"rows\" has several jobs or rows: only for_each can use it",
            ),
        ] {
            assert_eq!(JobGraph::new(nodes).expect_err(message).one_line(), message);
        }
    }
}
