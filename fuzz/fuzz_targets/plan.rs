//! Plans, lists and URL patterns: every text is read or refused, and no refusal shows a secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roundup::plan::{self, Globs};

const SECRET: &str = "s3cr3t-v4lue";

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    match choice % 4 {
        0 => {
            let _ = plan::expand_url(text, Globs::Expand);
        }
        1 => {
            let _ = plan::parse_list("list", text);
            let _ = plan::parse_secrets("secrets", text);
        }
        _ => match plan::parse("plan.toml", text, &|_| Some(SECRET.to_owned())) {
            Ok(plan) => {
                assert!(!plan.jobs.is_empty());
                // What the plan itself says is no secret, unless a variable says it too.
                let open = text.contains(SECRET);
                assert!(plan.explain().all(|line| (open || !line.contains(SECRET)) && !line.contains('\n')));
            }
            Err(errors) => {
                assert!(errors.list().iter().all(|error| !error.to_string().contains('\n')));
                assert!(text.contains(SECRET) || !errors.to_string().contains(SECRET));
            }
        },
    }
});
