//! A build without cookies: the same signatures, and nothing behind them.

use crate::redact::Redactor;
use crate::transport::{Request, SendRequest, Sending};

#[derive(Clone, Debug)]
pub(super) struct RunCookies;

/// Sends requests as they are.
#[derive(Debug)]
pub(super) struct CookieSender<'a>(&'a dyn SendRequest);

pub(super) type CookieKeeper<'a> = CookieSender<'a>;

impl RunCookies {
    pub(super) fn new(_: Option<Redactor>) -> RunCookies {
        RunCookies
    }
}

impl<'a> CookieSender<'a> {
    pub(super) fn new(sender: &'a dyn SendRequest, _: Option<&'a RunCookies>) -> CookieSender<'a> {
        CookieSender(sender)
    }
}

impl SendRequest for CookieSender<'_> {
    fn send<'a>(&'a self, request: Request<'a>) -> Sending<'a> {
        self.0.send(request)
    }
}
