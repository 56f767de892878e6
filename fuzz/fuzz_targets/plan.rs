//! Plans, JSON jobs, lists and URL patterns: every text is read or refused, and no refusal shows a secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::plan::{self, Errors, Globs, Plan, PlanReader};

const SECRET: &str = "s3cr3t-v4lue";

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let secret = |_: &str| Some(SECRET.to_owned());
    let plain = |_: &str| Some("a/b?c#d@e".to_owned());
    let reader = PlanReader::new().secrets(&secret).environment(&plain);
    match choice % 6 {
        0 => {
            let _ = plan::expand_url(text, Globs::Expand);
        }
        1 => {
            let _ = plan::parse_list("list", text);
            let _ = plan::parse_secrets("secrets", text);
        }
        2 => check(text, reader.read_json_job(text)),
        3 => match reader.read_json_hosts(text) {
            Ok(hosts) => check(text, reader.hosts(&hosts).read_url("http://a.example/")),
            Err(errors) => check(text, Err(errors)),
        },
        _ => check(text, reader.read("plan.toml", text)),
    }
});

fn check(text: &str, plan: Result<Plan, Errors>) {
    // What the text itself says is no secret, even if a secret says it too.
    let open = text.contains(SECRET);
    match plan {
        Ok(plan) => {
            assert!(!plan.jobs.is_empty());
            assert!(plan.explain().all(|line| (open || !line.contains(SECRET)) && !line.contains('\n')));
        }
        Err(errors) => {
            assert!(errors.list().iter().all(|error| !error.to_string().contains('\n')));
            assert!(open || !errors.to_string().contains(SECRET));
        }
    }
}
