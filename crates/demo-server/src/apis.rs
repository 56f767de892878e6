//! The 50 APIs of the demo: most of them slow, some flaky, some rate-limited.
//!
//! Delays, failures and content are fixed, so that two runs over the list can be compared.

use std::net::SocketAddr;
use std::time::Duration;

use roundup_event_loop::sleep;
use serde_json::json;

use super::content::{Topic, content};
use super::response::ServerResponse;
use super::state::ServerState;

/// The 50 APIs as name and URL, always in the same order.
///
/// One after the other they take about 13 seconds, besides the waits before retries; all at once, the slowest takes one.
/// The list can be fetched again and again: an API that fails before it works then fails again.
pub fn demo_urls(address: SocketAddr) -> Vec<(String, String)> {
    APIS.iter().map(|api| (api.name(), format!("http://{address}{}", api.path()))).collect()
}

/// The paths of the 50 APIs.
pub(super) fn paths() -> impl Iterator<Item = String> {
    APIS.iter().map(Api::path)
}

/// The API at this path.
pub(super) fn find(path: &str) -> Option<&'static Api> {
    APIS.iter().find(|api| api.path() == path)
}

/// How many requests of the limited group may be in flight.
pub(super) const MAX_LIMITED: u32 = 10;

/// Long enough that all the demo's requests to the group are in flight together, on a slow board too.
const LIMITED_DELAY: Duration = Duration::from_millis(200);

/// How long an unsteady API takes to fail. A client that sends everything at once has done so by then, so that pausing
/// the host delays no first attempt.
const FAILURE_DELAY: Duration = Duration::from_millis(60);

/// How often an unsteady API fails before it answers: as often as a client retries by default.
const FAILURES: u64 = 2;

/// Answers for the limited group.
pub(super) async fn limited(item: &str, state: &ServerState) -> ServerResponse {
    if state.limited.get() >= MAX_LIMITED {
        state.counters.count(|stats| stats.throttled += 1);
        let why = json!({"error": "too many requests in flight", "most": MAX_LIMITED});
        return ServerResponse::json(429, &why).with("Retry-After", "1");
    }
    let _place = LimitedPlace::take(state);
    sleep(LIMITED_DELAY).await;
    ServerResponse::json(200, &content(Topic::Orders, item))
}

/// A place in the limited group; given back when dropped, so that a request that is cancelled gives it back too.
#[derive(Debug)]
struct LimitedPlace<'a>(&'a ServerState);

impl<'a> LimitedPlace<'a> {
    fn take(state: &'a ServerState) -> LimitedPlace<'a> {
        state.limited.set(state.limited.get() + 1);
        LimitedPlace(state)
    }
}

impl Drop for LimitedPlace<'_> {
    fn drop(&mut self) {
        self.0.limited.set(self.0.limited.get() - 1);
    }
}

/// One API of the demo.
#[derive(Debug)]
pub(super) struct Api {
    topic: Topic,
    item: &'static str,
    delay_ms: u64,
    behaviour: Behaviour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Steady,
    /// Fails twice, with this Retry-After.
    Unsteady(Option<&'static str>),
    Limited,
}

impl Api {
    fn name(&self) -> String {
        format!("{}-{}", self.topic.name(), self.item)
    }

    fn path(&self) -> String {
        match self.behaviour {
            Behaviour::Limited => format!("/limited/{}", self.item),
            _ => format!("/v1/{}/{}", self.topic.name(), self.item),
        }
    }

    /// Answers for this run, after the delay.
    pub(super) async fn answer(&self, run: &str, state: &ServerState) -> ServerResponse {
        let Behaviour::Unsteady(retry_after) = self.behaviour else {
            sleep(Duration::from_millis(self.delay_ms)).await;
            return ServerResponse::json(200, &content(self.topic, self.item));
        };
        let failed = state.flaky.borrow_mut().fails(&format!("{}?{run}", self.path()), FAILURES);
        if failed.is_none() {
            sleep(Duration::from_millis(self.delay_ms)).await;
            return ServerResponse::json(200, &content(self.topic, self.item));
        }
        sleep(FAILURE_DELAY).await;
        let response = ServerResponse::json(503, &json!({"error": "overloaded", "service": self.topic.name()}));
        match retry_after {
            Some(seconds) => response.with("Retry-After", seconds),
            None => response,
        }
    }
}

const fn steady(topic: Topic, item: &'static str, delay_ms: u64) -> Api {
    Api { topic, item, delay_ms, behaviour: Behaviour::Steady }
}

const fn unsteady(item: &'static str, delay_ms: u64, retry_after: Option<&'static str>) -> Api {
    Api { topic: Topic::Trains, item, delay_ms, behaviour: Behaviour::Unsteady(retry_after) }
}

const fn limited_api(item: &'static str) -> Api {
    Api { topic: Topic::Orders, item, delay_ms: LIMITED_DELAY.as_millis() as u64, behaviour: Behaviour::Limited }
}

/// The limited ones come last: when their 429 pauses the host, all others have been sent.
const APIS: [Api; 50] = [
    steady(Topic::Weather, "berlin", 180),
    steady(Topic::Weather, "oslo", 260),
    steady(Topic::Weather, "lisbon", 140),
    steady(Topic::Weather, "nairobi", 520),
    steady(Topic::Weather, "lima", 610),
    steady(Topic::Weather, "osaka", 700),
    steady(Topic::Weather, "perth", 1000),
    steady(Topic::Weather, "quebec", 430),
    steady(Topic::Rates, "eur", 90),
    steady(Topic::Rates, "usd", 120),
    steady(Topic::Rates, "gbp", 100),
    steady(Topic::Rates, "jpy", 340),
    steady(Topic::Rates, "chf", 110),
    steady(Topic::Rates, "nok", 150),
    steady(Topic::Sensors, "boiler", 50),
    steady(Topic::Sensors, "greenhouse", 80),
    steady(Topic::Sensors, "attic", 70),
    steady(Topic::Sensors, "cellar", 290),
    steady(Topic::Sensors, "garage", 60),
    steady(Topic::Sensors, "workshop", 410),
    steady(Topic::Sensors, "pond", 850),
    steady(Topic::Sensors, "roof", 230),
    steady(Topic::Stock, "bearing-608", 200),
    steady(Topic::Stock, "belt-gt2", 170),
    steady(Topic::Stock, "motor-nema17", 310),
    steady(Topic::Stock, "hotend-v6", 130),
    steady(Topic::Stock, "board-rp2040", 480),
    steady(Topic::Health, "checkout", 60),
    steady(Topic::Health, "search", 220),
    steady(Topic::Health, "mail", 380),
    steady(Topic::Health, "images", 240),
    steady(Topic::Health, "archive", 560),
    unsteady("hamburg", 90, Some("0")),
    unsteady("graz", 110, None),
    unsteady("basel", 70, Some("0")),
    unsteady("lyon", 120, None),
    unsteady("ghent", 80, Some("0")),
    unsteady("malmo", 100, None),
    limited_api("page-01"),
    limited_api("page-02"),
    limited_api("page-03"),
    limited_api("page-04"),
    limited_api("page-05"),
    limited_api("page-06"),
    limited_api("page-07"),
    limited_api("page-08"),
    limited_api("page-09"),
    limited_api("page-10"),
    limited_api("page-11"),
    limited_api("page-12"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fifty_different_ones_that_take_long_only_one_by_one() {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let urls = demo_urls(address);
        assert_eq!(urls[0].1, "http://127.0.0.1:8080/v1/weather/berlin");
        assert_eq!(urls.iter().map(|url| &url.0).collect::<HashSet<_>>().len(), 50);
        assert_eq!(urls.iter().map(|url| &url.1).collect::<HashSet<_>>().len(), 50);
        let behaviour = |wanted: fn(&Behaviour) -> bool| APIS.iter().filter(|api| wanted(&api.behaviour)).count();
        assert_eq!(behaviour(|behaviour| *behaviour == Behaviour::Steady), 32);
        assert_eq!(behaviour(|behaviour| matches!(behaviour, Behaviour::Unsteady(_))), 6);
        assert_eq!(behaviour(|behaviour| *behaviour == Behaviour::Limited), 12);
        let delays = APIS.iter().map(|api| api.delay_ms);
        assert_eq!((delays.clone().min(), delays.clone().max()), (Some(50), Some(1000)));
        let failures = 6 * FAILURES * FAILURE_DELAY.as_millis() as u64;
        let sum = delays.sum::<u64>() + failures;
        assert!((12_000..15_000).contains(&sum), "{sum}");
    }

    #[test]
    fn content_is_the_same_every_time_and_of_some_size() {
        let mut seen = HashSet::new();
        for api in &APIS {
            let text = content(api.topic, api.item).to_string();
            assert_eq!(text, content(api.topic, api.item).to_string());
            assert!((100..700).contains(&text.len()), "{}: {}", api.name(), text.len());
            assert!(seen.insert(text), "{} says what another says", api.name());
        }
    }
}
