//! The content of the demo's APIs: made-up figures.

use serde_json::{Map, Value, json};

/// What an API is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Weather,
    Rates,
    Sensors,
    Stock,
    Health,
    Trains,
    Orders,
}

impl Topic {
    pub(super) fn name(self) -> &'static str {
        match self {
            Topic::Weather => "weather",
            Topic::Rates => "rates",
            Topic::Sensors => "sensors",
            Topic::Stock => "stock",
            Topic::Health => "health",
            Topic::Trains => "trains",
            Topic::Orders => "orders",
        }
    }
}

/// The content of an API: the same every time, and different for each item.
pub(super) fn content(topic: Topic, item: &str) -> Value {
    let figures = Figures::of(item);
    match topic {
        Topic::Weather => weather(item, figures),
        Topic::Rates => rates(item, figures),
        Topic::Sensors => sensor(item, figures),
        Topic::Stock => article(item, figures),
        Topic::Health => health(item, figures),
        Topic::Trains => departures(item, figures),
        Topic::Orders => orders(item, figures),
    }
}

fn weather(city: &str, figures: Figures) -> Value {
    let forecast = Vec::from_iter((1..=3).map(|day| {
        json!({
            "day": day,
            "low_c": figures.tenths(day + 4, 120),
            "high_c": 12.0 + figures.tenths(day + 7, 180),
            "rain_mm": figures.tenths(day + 10, 90),
        })
    }));
    json!({
        "city": city,
        "observed": "2026-01-31T12:00:00Z",
        "current": {
            "temperature_c": figures.tenths(0, 350),
            "humidity_percent": 30 + figures.whole(1, 65),
            "wind_m_s": figures.tenths(2, 150),
            "pressure_hpa": 985 + figures.whole(3, 45),
            "sky": figures.one_of(4, &["clear", "cloudy", "rain", "fog"]),
        },
        "forecast": forecast,
    })
}

fn rates(base: &str, figures: Figures) -> Value {
    let codes = ["EUR", "USD", "GBP", "JPY", "CHF", "NOK", "INR", "BRL", "ZAR"];
    let others = (0..).zip(codes).filter(|(_, code)| !code.eq_ignore_ascii_case(base));
    let rates = Map::from_iter(others.map(|(n, code)| {
        let rate = (500 + figures.whole(n, 90_000)) as f64 / 10_000.0;
        (code.to_owned(), json!(rate))
    }));
    json!({
        "base": base.to_uppercase(),
        "date": "2026-01-30",
        "next": "2026-02-02T15:00:00Z",
        "source": "fixing of the day, for information only",
        "rates": rates,
    })
}

fn sensor(name: &str, figures: Figures) -> Value {
    let readings = Vec::from_iter(
        (0..6)
            .map(|n| json!({"at": format!("2026-01-31T11:{:02}:00Z", n * 10), "celsius": figures.tenths(n + 4, 400)})),
    );
    json!({
        "sensor": name,
        "firmware": format!("2.{}.{}", figures.whole(0, 10), figures.whole(1, 30)),
        "battery_mv": 2900 + figures.whole(2, 700),
        "link_percent": 40 + figures.whole(3, 60),
        "readings": readings,
    })
}

fn article(number: &str, figures: Figures) -> Value {
    json!({
        "article": number,
        "currency": "EUR",
        "price_cents": 199 + figures.whole(0, 20_000),
        "stock": {"north": figures.whole(1, 400), "south": figures.whole(2, 400), "on_order": figures.whole(3, 100)},
        "size_mm": [10 + figures.whole(4, 500), 10 + figures.whole(5, 300), 5 + figures.whole(6, 200)],
        "tags": ["boxed", "returnable"],
    })
}

fn health(service: &str, figures: Figures) -> Value {
    json!({
        "service": service,
        "status": "ok",
        "version": format!("{}.{}.{}", 1 + figures.whole(0, 5), figures.whole(1, 20), figures.whole(2, 40)),
        "uptime_s": figures.whole(3, 5_000_000),
        "checks": {"database": "ok", "queue": "ok", "disk_free_percent": 20 + figures.whole(4, 70)},
        "latency_ms": {
            "p50": figures.tenths(5, 100),
            "p95": 10.0 + figures.tenths(6, 300),
            "p99": 40.0 + figures.tenths(7, 900),
        },
    })
}

fn departures(station: &str, figures: Figures) -> Value {
    let departures = Vec::from_iter((0..4).map(|n| {
        json!({
            "line": format!("R{}", 1 + figures.whole(n, 60)),
            "platform": 1 + figures.whole(n + 4, 12),
            "at": format!("12:{:02}", n * 14 + 3),
            "delay_min": figures.whole(n + 8, 9),
        })
    }));
    json!({"station": station, "departures": departures})
}

fn orders(page: &str, figures: Figures) -> Value {
    let orders = Vec::from_iter((0..4).map(|n| {
        json!({
            "id": 10_000 + figures.whole(n, 90_000),
            "total_cents": 500 + figures.whole(n + 4, 30_000),
            "state": figures.one_of(n + 8, &["new", "paid", "sent", "done"]),
        })
    }));
    json!({"page": page, "orders": orders})
}

/// Figures that look measured and are the same every time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures(u64);

impl Figures {
    /// FNV-1a of the name, so that names that differ little have figures that differ much.
    pub(super) fn of(name: &str) -> Figures {
        Figures(
            name.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)),
        )
    }

    /// The nth figure, below `range`.
    pub(super) fn whole(self, nth: u32, range: u64) -> u64 {
        self.0.rotate_left(nth * 11) % range
    }

    /// The nth figure, below a tenth of `range`.
    fn tenths(self, nth: u32, range: u64) -> f64 {
        self.whole(nth, range) as f64 / 10.0
    }

    fn one_of<'a>(self, nth: u32, of: &[&'a str]) -> &'a str {
        of[self.whole(nth, of.len() as u64) as usize]
    }
}
