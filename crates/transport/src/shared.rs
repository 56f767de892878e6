//! What all clones of a transport share.

use crate::admission::Admissions;
use crate::config::Config;
use crate::descriptors::Descriptors;
use crate::idle::IdleConnections;
use crate::resolve::Resolver;
use crate::route::Routes;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) resolver: Resolver,
    pub(crate) routes: Routes,
    pub(crate) idle: IdleConnections,
    pub(crate) descriptors: Descriptors,
    pub(crate) admissions: Admissions,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Shared {
        let idle = IdleConnections::new(config.pool);
        Shared {
            config,
            resolver: Resolver::new(),
            routes: Routes::default(),
            idle,
            descriptors: Descriptors::default(),
            admissions: Admissions::default(),
        }
    }
}
