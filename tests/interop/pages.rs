//! The HTML report in the hands of others: the checker of the W3C, and Chromium, which sorts, filters and prints it.

use std::process::Command;

use serde_json::Value;

use super::peer::program;
use crate::common::Dir;
use crate::report::odd_page;

/// The page of oddities in a folder of its own.
fn page() -> (Dir, String) {
    let dir = Dir::new();
    let page = dir.write("page.html", odd_page());
    let page = page.to_str().expect("UTF-8").to_owned();
    (dir, page)
}

#[test]
#[ignore = "needs npm and Java"]
fn the_page_is_valid_html() {
    let (dir, page) = page();
    let mut install = Command::new(program("npm", "npm"));
    install.args(["install", "--silent", "--prefix"]).arg(dir.path()).arg("vnu-jar@26.9.27");
    let installed = install.output().expect("npm runs");
    assert!(installed.status.success(), "{installed:?}");
    let jar = dir.join("node_modules/vnu-jar/build/dist/vnu.jar");
    // Texts that are not in Normalization Form C are as servers sent them, which is a warning.
    let checked = Command::new(program("java", "default-jre-headless"))
        .arg("-jar")
        .arg(jar)
        .args(["--errors-only", &page])
        .output()
        .expect("Java runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
#[ignore = "needs Chromium and Node.js"]
fn a_browser_shows_sorts_filters_and_prints_the_page() {
    let (dir, page) = page();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/page.js");
    let mut command = Command::new(program("node", "nodejs"));
    command.arg(script).arg(program("chromium", "chromium")).arg(&page).arg(dir.join("profile"));
    let output = command.output().expect("Node.js runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // Neither the policy nor the script has anything to complain about, and nothing was asked for.
    assert_eq!(
        (&found["complaints"], &found["requests"]),
        (&serde_json::json!([]), &serde_json::json!([])),
        "{found:#}"
    );
    let seen = &found["seen"];
    let sorted = ["-17", "-0", "0", "0.10", "3", "9.5", "123456789012345678901234567890", "1e999", "", ""];
    assert_eq!(seen["ascending"], serde_json::json!(sorted), "what is missing comes last");
    assert_eq!(seen["descending"][0], "1e999");
    assert_eq!((&seen["aria"], &seen["found"], &seen["failed"]), (&"descending".into(), &9.into(), &7.into()));
    assert_eq!(seen["open"], true, "a link to a source unfolds it");
    // Only tables scroll sideways, not the page.
    assert_eq!((&found["wide"]["phone"], &found["wide"]["phone-dark"]), (&390.into(), &390.into()));
}
