//! `roundup help plan`: the keys of a plan, from the list that the plan's reader is tested against.

use std::fmt::Write as _;

use roundup::plan::{PLAN_KEYS, PLAN_TABLES, PlanKey};

use super::help::{COLUMN, entry, wrapped};

/// Each key with what may be written, its default, and an example.
pub(super) fn plan_keys() -> String {
    let mut text = wrapped(
        "A plan is a TOML file. Times are written as \"30s\", \"1.5m\" or \"500ms\", sizes as \"16MiB\", rates as \"20/s\", \
         statuses as \"200-299,404\". {name} is a value of each, of [variables] or, as {env.NAME}, of the environment; \
         ${NAME} is a secret, from --secrets FILE or the environment.",
    );
    for &(table, what) in PLAN_TABLES {
        let _ = writeln!(text);
        entry(&mut text, COLUMN, table, what);
        for PlanKey { key, values, default, example, meaning, .. } in PLAN_KEYS.iter().filter(|key| key.table == table)
        {
            let default = if default.is_empty() { String::new() } else { format!(" (default: {default})") };
            entry(&mut text, COLUMN, &format!("  {key}"), &format!("{values}: {meaning}{default}"));
            let _ = writeln!(text, "{:COLUMN$}{example}", "");
        }
    }
    text.push_str("\nExample:\n");
    for line in [
        "[[job]]",
        "name = \"weather\"",
        "url = \"https://api.example.com/v1/{city}\"",
        "each = { city = [\"oslo\", \"lima\"] }",
        "select = { temp = \"/current/temp\" }",
    ] {
        let _ = writeln!(text, "  {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::table::ROWS;
    use super::*;

    #[test]
    fn defaults_are_those_of_the_options() {
        for key in PLAN_KEYS.iter().filter(|key| key.table == "[[job]]" || key.table == "[limits]") {
            let row = ROWS.iter().find(|row| row.in_plan.is_some() && row.plan_key() == Some(key.key));
            let default = row.and_then(|row| row.default).filter(|default| !default.starts_with('('));
            if let Some(default) = default {
                assert_eq!(key.default, default, "{}", key.key);
            }
        }
    }

    #[test]
    fn every_key_stands_under_its_table() {
        let text = plan_keys();
        for key in PLAN_KEYS {
            let (_, rest) = text.split_once(&format!("\n{}", key.table)).unwrap_or_else(|| panic!("{}", key.table));
            assert!(rest.contains(&format!("\n  {} ", key.key)) && rest.contains(key.example), "{}", key.key);
        }
    }
}
