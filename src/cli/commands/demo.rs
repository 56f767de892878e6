//! `demo` and `serve`: the built-in server, rounded up or alone.

use std::io;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Stdio;

use futures_lite::StreamExt;
use roundup::report::{Destination, Output};
use roundup::{EventLoop, plan};
use roundup_demo_server::{Server, Stats, demo_urls};

use super::compare::{run_twice, show};
use super::table::table;
use crate::cli::config::{Config, OutputConfig};
use crate::cli::console::{complain, print};
use crate::cli::descriptors;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::flags::Flags;
use crate::cli::jobs::JobSet;
use crate::cli::signals::signals;

/// How many requests at once the demo's host gets by default: one for each source, because it stands for fifty hosts.
const PER_HOST: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

pub(crate) fn demo(flags: &Flags) -> Result<Exit, CommandError> {
    descriptors::check()?;
    let mut config = Config::local(flags)?;
    config.limits.per_host.get_or_insert(PER_HOST);
    let server =
        Server::start(0).map_err(|error| CommandError::usage(format!("the demo's server cannot start: {error}")))?;
    // Beside the table, the report is a page, as it is the most that a report can be.
    config.output = OutputConfig::new(flags, &[Output::parse("table")?, Output::parse(&format!("html={PAGE}"))?])?;
    let plan = plan::parse("demo", &demo_plan(&demo_urls(server.address())), &|_| None);
    let jobs = JobSet::of_plan("demo", plan.map_err(|errors| CommandError::plan(&errors))?, &config);
    let aside = config.output.stdout_is_data();
    if !config.output.quiet {
        let (count, address) = (jobs.len(), server.address());
        show(&format!("{count} APIs on http://{address}, some slow, some flaky, some limited\n"), aside)?;
    }
    let page = config.output.reports.iter().find_map(|report| match &report.destination {
        Destination::File(path) if report.format.name == "html" => Some(path.clone()),
        _ => None,
    });
    let open = flags.on("open")?;
    if open && page.is_none() {
        return Err(CommandError::usage(format!("--open opens a page, and none is written: add --report {PAGE}")));
    }
    let exit = run_twice(jobs, &config, table())?;
    if !config.output.quiet {
        show(&seen_by_server(&server.stats()), aside)?;
        if let Some(page) = &page {
            show(&format!("the report is in {}\n", page.display()), aside)?;
        }
    }
    if let Some(page) = page.filter(|_| open) {
        open_page(&page);
    }
    Ok(exit)
}

/// The plan of the demo: what is picked out of each kind of API, and the tables that are made of it.
fn demo_plan(urls: &[(String, String)]) -> String {
    let mut plan = DEMO_REPORT.to_owned();
    for (name, url) in urls {
        let topic = name.split('-').next().unwrap_or_default();
        let (_, rows, select) = PICKED.iter().find(|(of, ..)| *of == topic).unwrap_or(&("", "", ""));
        plan.push_str(&format!(
            "[[job]]\nname = \"{name}\"\nurl = \"{url}\"\ntable = \"{topic}\"\nselect = {{ {select} }}\n"
        ));
        if !rows.is_empty() {
            plan.push_str(&format!("rows = \"{rows}\"\n"));
        }
    }
    plan
}

/// Shows the page in the browser of the user.
fn open_page(page: &Path) {
    let opener: &[&str] = match std::env::consts::OS {
        "macos" => &["open"],
        "windows" => &["cmd", "/c", "start", ""],
        _ => &["xdg-open"],
    };
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let mut command = std::process::Command::new(opener[0]);
    command.args(&opener[1..]).arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        complain(&format!("{} cannot be opened with {}: {error}", page.display(), opener[0]));
    }
}

/// Where the report goes.
const PAGE: &str = "roundup-demo.html";

/// What stands above the report, and its tables.
const DEMO_REPORT: &str = r#"
[report]
title = "What 50 APIs said, {date}"
[[report.table]]
title = "Prices and stock"
table = "stock"
columns = ["article", "price_cents", "north", "south", "on_order"]
sort = "price_cents"
chart = { price_cents = "bar" }
[[report.table]]
title = "Weather, warmest first"
table = "weather"
columns = ["city", "temperature_c", "sky", "wind_m_s", "humidity_percent"]
sort = "-temperature_c"
chart = { temperature_c = "bar" }
[[report.table]]
title = "Trains, most delayed first"
table = "trains"
columns = ["station", "at", "line", "platform", "delay_min"]
sort = ["-delay_min", "at", "station"]
limit = 10
chart = { delay_min = "bar" }
[[report.table]]
title = "Services"
table = "health"
columns = ["service", "status", "version", "p95_ms", "disk_free_percent"]
sort = "-p95_ms"
chart = { p95_ms = "bar" }
[[report.table]]
title = "Sensors"
table = "sensors"
columns = ["sensor", "celsius", "battery_mv", "link_percent"]
sort = "sensor"
[[report.table]]
title = "Rates"
table = "rates"
columns = ["base", "date", "eur", "usd", "gbp", "jpy"]
[[report.table]]
title = "Largest orders"
table = "orders"
columns = ["id", "total_cents", "state", "source"]
sort = "-total_cents"
limit = 10
"#;

/// What is picked out of the content of each kind of API: its kind, where its rows are, and their values.
const PICKED: [(&str, &str, &str); 7] = [
    (
        "weather",
        "",
        r#"city = "/city", temperature_c = "/current/temperature_c", sky = "/current/sky", wind_m_s = "/current/wind_m_s", humidity_percent = "/current/humidity_percent""#,
    ),
    (
        "rates",
        "",
        r#"base = "/base", date = "/date", eur = { at = "/rates/EUR", optional = true }, usd = { at = "/rates/USD", optional = true }, gbp = { at = "/rates/GBP", optional = true }, jpy = { at = "/rates/JPY", optional = true }"#,
    ),
    (
        "sensors",
        "",
        r#"sensor = "/sensor", celsius = "/readings/5/celsius", battery_mv = "/battery_mv", link_percent = "/link_percent""#,
    ),
    (
        "stock",
        "",
        r#"article = "/article", price_cents = "/price_cents", north = "/stock/north", south = "/stock/south", on_order = "/stock/on_order""#,
    ),
    (
        "health",
        "",
        r#"service = "/service", status = "/status", version = "/version", p95_ms = "/latency_ms/p95", disk_free_percent = "/checks/disk_free_percent""#,
    ),
    (
        "trains",
        "/departures",
        r#"station = "^/station", line = "/line", platform = "/platform", at = "/at", delay_min = "/delay_min""#,
    ),
    ("orders", "/orders", r#"id = "/id", total_cents = "/total_cents", state = "/state""#),
];

/// The server's side of it, on one line.
fn seen_by_server(stats: &Stats) -> String {
    let Stats { requests, connections, peak_in_flight, throttled, .. } = stats;
    format!(
        "the server saw {requests} requests on {connections} connections, at most {peak_in_flight} at once, and answered 429 to {throttled}\n"
    )
}

pub(crate) fn serve(flags: &Flags) -> Result<Exit, CommandError> {
    descriptors::check()?;
    let quiet = flags.on("quiet")?;
    let port: u16 = flags.count_or_default("port")?;
    let server = Server::start(port).map_err(|error| CommandError::usage(cannot_listen(&error)))?;
    // Watched before the address is printed: a program that reads it may send a signal at once.
    let mut signals = signals().map_err(|error| CommandError::usage(format!("signals cannot be watched: {error}")))?;
    if !quiet {
        print(&format!("listening on http://{}; Ctrl-C ends it\n", server.address()))?;
    }
    let ended = EventLoop::new().run(server.run_until(signals.next()));
    let (_, stats) = ended.map_err(|error| CommandError::usage(error.to_string()))?;
    if quiet { Ok(Exit::Success) } else { print(&seen_by_server(&stats)) }
}

/// Why the server cannot start, and which other port would do.
fn cannot_listen(error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => ": choose another with --port, or 0 for any free one",
        io::ErrorKind::PermissionDenied => ": choose one above 1023 with --port, or 0 for any free one",
        _ => "",
    };
    format!("{error}{remedy}")
}
