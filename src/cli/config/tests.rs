//! Holds the table of options against what the code does without them, and against the keys of plans.

use roundup::transport::Roots;
use roundup::{Limits, Settings, plan};

use super::*;
use crate::cli::flags::{PlanTable, ROWS, ValueKind};

fn config(name: &'static str, text: &str) -> Config {
    Config::new(&Flags::typed([(name, text.to_owned())])).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn defaults_in_the_table_are_those_in_code() {
    let untouched = Config::new(&Flags::default()).expect("nothing is given");
    for row in ROWS {
        let Some(default) = row.default else {
            let has_none = matches!(row.values, ValueKind::Switch | ValueKind::Text(_));
            assert!(has_none, "{} needs a default in the table", row.name);
            continue;
        };
        if default.starts_with('(') {
            let limits = Limits::default();
            let unlimited = match row.name {
                "rate" => limits.rate.is_none(),
                "job_timeout" => untouched.settings.job_timeout.is_none(),
                "stale_if_error" => untouched.settings.stale_if_error.is_none(),
                "max_memory" => limits.max_memory.is_none(),
                "deadline" => untouched.limits.deadline.is_none(),
                "keep" => untouched.state.keep.is_none(),
                "state_size" => untouched.state.size.is_none(),
                #[cfg(feature = "fleet")]
                "idle_exit" => untouched.fleet.idle_exit.is_none(),
                #[cfg(feature = "watch")]
                "every" => untouched.rounds.every.is_none(),
                #[cfg(feature = "watch")]
                "max_runs" => untouched.rounds.max_runs.is_none(),
                _ => false,
            };
            assert!(unlimited, "{}: {default} is not what holds without it", row.name);
            continue;
        }
        let config = config(row.name, default);
        if row.name == "max_body" {
            assert_eq!(config.settings.max_body, Some(Settings::MAX_BODY_KEPT));
            continue;
        }
        #[cfg(feature = "fleet")]
        assert_eq!(config.fleet, untouched.fleet, "{}: {default}", row.name);
        assert_eq!(config.settings.over(&Settings::default()), Settings::default(), "{}: {default}", row.name);
        let mut limits = Limits::default();
        config.limits.over(&mut limits);
        assert_eq!(limits, Limits::default(), "{}: {default}", row.name);
        assert_eq!(format!("{:?}", config.transport), format!("{:?}", untouched.transport), "{}: {default}", row.name);
    }
    assert_eq!("auto".parse::<Roots>().ok(), Some(Roots::default()));
}

/// A value that a plan may have for an option.
fn sample(name: &str, values: ValueKind) -> &'static str {
    match (values, name) {
        (ValueKind::Switch, _) => "true",
        (ValueKind::Count(..), _) => "2",
        (ValueKind::Time | ValueKind::TimeLimit, _) => "\"5s\"",
        (ValueKind::Size, _) => "\"1KiB\"",
        (_, "rate") => "\"5/s\"",
        (_, "user") => "\"me:pw\"",
        (_, "accept" | "retry_on") => "\"200\"",
        (_, "header") => "{ A = \"b\" }",
        _ => "\"GET\"",
    }
}

#[test]
fn keys_of_plans_are_in_the_table() {
    for row in ROWS.iter().filter(|row| row.commands.contains(&"run")) {
        // The plan's key `json` is a document, the option's text that is sent; its `key` names children, the option's a file; its `report` is a yes or no.
        if matches!(row.name, "json" | "key" | "report") {
            continue;
        }
        let key = row.plan_key().unwrap_or(row.name);
        let value = sample(row.name, row.values);
        let is_file = ["cacert", "cert", "key"].contains(&row.name);
        let is_key = |limits: &str, job: &str| {
            let text = format!("[limits]\n{limits}\n[[job]]\nurl = \"http://a/\"\n{job}\n");
            match plan::parse("plan.toml", &text, &|_| None) {
                Ok(_) => true,
                // It is known, and this build lacks what it needs.
                Err(errors) if errors.to_string().contains("cargo feature") => true,
                // There is no such file.
                Err(errors) if is_file && !errors.to_string().contains("unknown key") => true,
                Err(errors) => {
                    assert!(errors.to_string().contains(&format!("unknown key \"{key}\"")), "{errors}");
                    false
                }
            }
        };
        let line = format!("{key} = {value}");
        let found = match (is_key(&line, ""), is_key("", &line)) {
            (true, false) => Some(PlanTable::Limits),
            (false, true) if key == "headers" => Some(PlanTable::JobHeaders),
            (false, true) if key == "cert_key" => Some(PlanTable::JobCertKey),
            (false, true) => Some(PlanTable::Job),
            (false, false) => None,
            (true, true) => panic!("{key} is a key in two tables"),
        };
        assert_eq!(row.in_plan, found, "{}: the table of options says otherwise than the plan's reader", row.name);
    }
}
