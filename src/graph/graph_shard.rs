//! Which jobs of a graph are in a shard.

use std::collections::BTreeSet;

use super::node::JobNode;
use crate::shard::Shard;

/// A shard of the jobs of a graph.
#[derive(Clone, Debug)]
pub(super) struct GraphShard {
    shard: Shard,
    /// Of each node, whether others need it: then all of its jobs run, or none.
    used: Vec<bool>,
    /// Of each node, whether all of its jobs run because others may need them that do.
    whole: Vec<bool>,
    /// Whether no job of any node runs.
    is_empty: bool,
}

impl GraphShard {
    /// The shard of a graph of these nodes. `sources` are those that each of them needs, and `held` those with a job that
    /// needs nothing and is in the shard by its name.
    pub(super) fn new(shard: Shard, nodes: &[JobNode], sources: &[Vec<usize>], held: &BTreeSet<usize>) -> GraphShard {
        let mut used = vec![false; nodes.len()];
        sources.iter().flatten().for_each(|source| used[*source] = true);
        // Which jobs are made for rows is known in the run alone.
        let has_late = |node: &JobNode| {
            let mut members = 0..if node.template.is_some() { node.members } else { 0 };
            node.for_each.is_some() || members.any(|member| shard.holds(&node.member_name(member)))
        };
        let own = |at: usize| !used[at] && (held.contains(&at) || has_late(&nodes[at]));
        let runs: Vec<bool> = (0..nodes.len()).map(own).collect();
        let mut whole = vec![false; nodes.len()];
        let mut users: Vec<usize> = (0..nodes.len()).filter(|node| runs[*node]).collect();
        while let Some(user) = users.pop() {
            for source in &sources[user] {
                // One that was seen has given its own sources already.
                if !std::mem::replace(&mut whole[*source], true) {
                    users.push(*source);
                }
            }
        }
        let is_empty = !runs.contains(&true);
        GraphShard { shard, used, whole, is_empty }
    }

    /// Whether the job of this name runs, which is one of this node.
    pub(super) fn holds(&self, node: usize, name: &str) -> bool {
        self.whole[node] || (!self.used[node] && self.shard.holds(name))
    }

    /// The shard that the jobs of this node are chosen by; `None` if all run.
    pub(super) fn of_node(&self, node: usize) -> Option<Shard> {
        (!self.whole[node]).then_some(self.shard)
    }

    /// Whether no job of any node runs.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }
}
