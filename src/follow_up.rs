//! How a source goes on after its first answer: pages that follow each other, and answers that are asked for until one is
//! as it should be. Plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pointer::Pointer;
use crate::rows::Condition;

/// The pages of a source, which together are one outcome.
///
/// They are followed where a [`JobGraph`](crate::graph::JobGraph) is run; a fetcher alone sends the first request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// How a page leads to the next one.
    pub by: PageRule,
    /// The most pages that are read; [`Pages::MAX`] by default. If there are more, the source fails and keeps the rows of
    /// these.
    pub max: u32,
}

/// How a page leads to the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PageRule {
    /// A value of the answer, until there is none, or it is null, false or empty.
    Next {
        /// Where the value is.
        next: AnswerPlace,
        /// What it is for.
        goes_into: NextTarget,
        /// A value that is not true on the last page.
        more: Option<Pointer>,
    },
    /// The `Link` field with the relation `next` (RFC 8288).
    Link,
    /// A number in the query, until a page has no rows or all pages are there.
    Number {
        /// The name of the parameter.
        page: Box<str>,
        /// The number of the first page.
        from: u64,
        /// How many pages there are. The others are then fetched at once.
        total_pages: Option<AnswerPlace>,
    },
    /// The number of the first row of a page in the query, until a page has no rows or all rows are there.
    Offset {
        /// The name of the parameter.
        offset: Box<str>,
        /// How many rows a page has.
        size: u64,
        /// How many rows there are. The other pages are then fetched at once.
        total: Option<AnswerPlace>,
    },
}

/// What a value that leads to the next page is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextTarget {
    /// It is the URL.
    Url,
    /// It is the value of this parameter of the query.
    Param(Box<str>),
    /// It stands at this place in the JSON that is sent.
    Json(Pointer),
}

/// Where a value is in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerPlace {
    /// In its JSON.
    Json(Pointer),
    /// In its head: the field of this name.
    Header(Box<str>),
}

impl Pages {
    /// The default of [`Pages::max`].
    pub const MAX: u32 = 100;

    /// By this rule, at most [`Pages::MAX`].
    pub fn by(rule: PageRule) -> Pages {
        Pages { by: rule, max: Pages::MAX }
    }

    /// The places of the values that are needed of each answer.
    pub fn places(&self) -> Vec<AnswerPlace> {
        match &self.by {
            PageRule::Next { next, more, .. } => {
                [next.clone()].into_iter().chain(more.clone().map(AnswerPlace::Json)).collect()
            }
            PageRule::Link => vec![AnswerPlace::Header("link".into())],
            PageRule::Number { total_pages: total, .. } | PageRule::Offset { total, .. } => {
                total.iter().cloned().collect()
            }
        }
    }
}

/// A request that is sent again and again until the answer is as it should be.
///
/// It is repeated where a [`JobGraph`](crate::graph::JobGraph) is run; a fetcher alone sends it once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// What the values at these places must be, all of them. A value that is not there fulfils no condition.
    pub until: Vec<(Pointer, Condition)>,
    /// What ends it with a failure: a value at one of these places that fulfils its condition.
    pub fail: Vec<(Pointer, Condition)>,
    /// The time from one answer to the next request.
    pub every: Duration,
    /// The longest time from the first request to the answer that is waited for. A request under way is ended then.
    pub within: Duration,
}

impl Poll {
    /// The default of [`Poll::every`]: 2 s.
    pub const EVERY: Duration = Duration::from_secs(2);
    /// The default of [`Poll::within`]: 5 min.
    pub const WITHIN: Duration = Duration::from_secs(300);

    /// The places of the values that are needed of each answer: those of `until`, then those of `fail`.
    pub fn places(&self) -> Vec<AnswerPlace> {
        self.until.iter().chain(&self.fail).map(|(place, _)| AnswerPlace::Json(place.clone())).collect()
    }
}
