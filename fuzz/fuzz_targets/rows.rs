//! Contents that values and rows are taken out of: JSON, JSON Lines, CSV, XML.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use roundup::fetcher::fuzzing::look_into;
use roundup::rows::{Cell, ContentForm, ContentFormat, Selection};
use roundup::{Job, Settings};
use serde_json::Value;

const PLACES: [&str; 6] = ["", "/a", "/a/0", "/a/b", "/b", "/items/1/a"];

// The first byte says the form and what is selected.
fuzz_target!(|input: &[u8]| {
    let Some((first, content)) = input.split_first() else { return };
    let form = ContentForm::ALL[usize::from(first % 6)];
    let mut settings = Settings {
        format: ContentFormat { form, delimiter: (first & 32 != 0).then_some(';'), charset: None },
        max_rows: 100,
        ..Settings::default()
    };
    let rows = first & 64 != 0;
    if rows {
        settings.rows = Some(if first & 128 != 0 { "" } else { "/items" }.parse().expect("a pointer"));
    }
    if first & 16 == 0 {
        let optional = |at: &str| Selection { missing: roundup::Missing::Null, ..at.parse().expect("a pointer") };
        settings.select = PLACES.iter().map(|at| ((*at).to_owned(), optional(at))).collect();
    }
    let job = Job::new("http://h/", Arc::new(settings)).expect("a URL");
    let (data, tables, error) = look_into(&job, content);
    for table in &tables {
        assert!(table.rows.len() <= 100);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{table:?}");
    }
    if let Some(error) = &error {
        assert!(!error.one_line().contains('\n'));
    }
    // What serde_json finds in a tree of values is what is found in the text.
    let document = serde_json::from_slice::<Value>(content).ok().filter(|_| form == ContentForm::Json);
    if let (Some(document), Some(data), None) = (document, data, error) {
        for at in PLACES {
            let found = data.get(at).map(Cell::to_json).expect("each has a value");
            let found: Value = serde_json::from_str(&found).expect("a cell is JSON");
            assert_eq!(&found, document.pointer(at).unwrap_or(&Value::Null), "{at}");
        }
    }
});
