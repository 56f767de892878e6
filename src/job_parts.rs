//! What makes a job.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

#[cfg(feature = "fetcher")]
use crate::live_token::LiveToken;
use crate::origin::without_password;
use crate::rows::Record;
use crate::secrets::Secrets;
use crate::settings::Settings;

/// All that makes a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobParts {
    pub(crate) index: Option<usize>,
    pub(crate) name: Arc<str>,
    pub(crate) url: Url,
    /// The URL as it was written. Mostly it is the name, and shared with it.
    pub(crate) written: Arc<str>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) secrets: Secrets,
    pub(crate) values: Record,
    /// The token that its login has when an attempt begins.
    #[cfg(feature = "fetcher")]
    pub(crate) token: Option<LiveToken>,
    /// Whether others take secrets out of its answer.
    pub(crate) gives_secrets: bool,
}

impl JobParts {
    /// Those of a URL that was parsed, and as it was written.
    pub(crate) fn of(url: Url, written: &str, settings: Arc<Settings>) -> JobParts {
        let written: Arc<str> = without_password(written).into();
        JobParts {
            index: None,
            name: written.clone(),
            url,
            written,
            output: None,
            settings,
            secrets: Secrets::default(),
            values: Record::default(),
            #[cfg(feature = "fetcher")]
            token: None,
            gives_secrets: false,
        }
    }

    /// Names the job, and shares the text with the URL if they are one.
    pub(crate) fn name(&mut self, name: Arc<str>) {
        self.name = name;
        if self.name == self.written {
            self.written = self.name.clone();
        }
    }
}
