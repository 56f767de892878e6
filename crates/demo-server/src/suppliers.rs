//! Ten suppliers of spare parts, for plans that compare. Some prices change from one request to the next, always in the same
//! way, so that a plan that runs twice finds the same on every machine.

use std::cell::RefCell;
use std::time::Duration;

use roundup_event_loop::sleep;
use serde_json::json;

use super::content::Figures;
use super::response::ServerResponse;

/// How often each supplier was asked.
#[derive(Debug, Default)]
pub(super) struct Suppliers {
    asked: RefCell<[u64; SUPPLIERS.len()]>,
}

const SUPPLIERS: [&str; 10] =
    ["acme", "bolt", "cargo-eu", "dynamo", "elk", "forge", "gearbox", "helix", "ingot", "junction"];

/// What they sell, and about what it costs, in cents.
const PARTS: [(&str, u64); 4] = [("bearing-608", 420), ("belt-gt2", 890), ("hotend-v6", 5200), ("spring-9", 160)];

/// The one that knows none of its customers.
const REFUSES: &str = "cargo-eu";

/// A price changes every so many requests, each at another one of them.
const CHANGES_AFTER: u64 = 12;
/// So many times it falls, and then it is what it was.
const STEPS: u64 = 4;

impl Suppliers {
    /// The offers of a supplier; `None` if there is none of this name.
    pub(super) async fn offers(&self, supplier: &str) -> Option<ServerResponse> {
        let place = SUPPLIERS.iter().position(|one| *one == supplier)?;
        sleep(Duration::from_millis(40 + 20 * place as u64)).await;
        if supplier == REFUSES {
            let refusal = ServerResponse::json(401, &json!({"error": "invalid api key"}));
            // RFC 9110, section 15.5.2: a 401 names a scheme.
            return Some(refusal.with("WWW-Authenticate", "Bearer"));
        }
        let before = {
            let mut asked = self.asked.borrow_mut();
            asked[place] += 1;
            asked[place] - 1
        };
        let offers: Vec<_> = (0..)
            .zip(PARTS)
            .map(|(n, (part, about))| {
                let figures = Figures::of(&format!("{supplier}/{part}"));
                let start = place as u64 + CHANGES_AFTER - n;
                let falls = ((before + start) / CHANGES_AFTER - start / CHANGES_AFTER) % STEPS;
                let cents = about + figures.whole(0, about / 2) - falls * about / 20;
                json!({"part": part, "price": cents as f64 / 100.0, "in_stock": figures.whole(1, 300)})
            })
            .collect();
        Some(ServerResponse::json(200, &json!({"supplier": supplier, "currency": "EUR", "offers": offers})))
    }
}
