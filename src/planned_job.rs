//! Jobs of a plan that are made when they start: a table with a hundred thousand values is a hundred thousand jobs, and a run
//! looks at few of them at once.

use std::sync::{Arc, OnceLock};

use url::Url;

use crate::job_parts::JobParts;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// Makes the jobs of one table, of which it is known that all of them can be made.
pub(crate) trait JobRows: Send + Sync {
    /// The job with the values of this row, in this row's name, from 0.
    fn make(&self, row: usize, settings: Arc<Settings>) -> JobParts;

    /// A URL with the scheme, user, host and port of all of them.
    fn origin_url(&self) -> &Url;
}

/// One row of a table, and what was said of its job before it is made.
#[derive(Clone)]
pub(crate) struct PlannedJob {
    pub(crate) index: Option<usize>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) secrets: Secrets,
    /// Whether others take secrets out of its answer.
    pub(crate) gives_secrets: bool,
    table: Arc<dyn JobRows>,
    row: u32,
    made: OnceLock<Box<JobParts>>,
}

impl PlannedJob {
    pub(crate) fn new(table: Arc<dyn JobRows>, row: u32, settings: Arc<Settings>) -> PlannedJob {
        PlannedJob {
            index: None,
            settings,
            secrets: Secrets::default(),
            gives_secrets: false,
            table,
            row,
            made: OnceLock::new(),
        }
    }

    /// All of it. It is made when it is first asked for, and kept.
    pub(crate) fn parts(&self) -> &JobParts {
        self.made.get_or_init(|| {
            let made = self.table.make(self.row as usize, self.settings.clone());
            let (index, secrets, gives_secrets) = (self.index, self.secrets.clone(), self.gives_secrets);
            Box::new(JobParts { index, secrets, gives_secrets, ..made })
        })
    }

    /// Whether it was asked for.
    pub(crate) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }

    pub(crate) fn origin_url(&self) -> &Url {
        self.table.origin_url()
    }
}
