//! Where slow polls are reported if there is no callback: with the feature `log` to that crate, otherwise to stderr.

use std::time::{Duration, Instant};

use roundup_event_loop::EventLoop;

/// Runs a loop whose main future holds it for longer than it may.
fn hold_the_loop() {
    let event_loop = EventLoop::builder().slow_poll(Duration::from_millis(5)).build();
    event_loop.run(async {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(20) {}
    });
}

fn check(line: &str) {
    assert!(line.starts_with("warning: task main (spawned at ") && line.contains(" held the loop for "), "{line}");
}

#[cfg(not(feature = "log"))]
#[test]
fn slow_polls_go_to_stderr() {
    const HOLD: &str = "ROUNDUP_TEST_HOLDS_THE_LOOP";
    if std::env::var_os(HOLD).is_some() {
        return hold_the_loop();
    }
    // Runs this test once more, as a process whose stderr can be read.
    let this = std::env::current_exe().expect("a test has a path");
    let mut command = std::process::Command::new(this);
    let output = command.args(["slow_polls_go_to_stderr", "--exact"]).env(HOLD, "1").output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    check(text.lines().find(|line| !line.contains("still does")).expect("a line when the poll has ended"));
}

#[cfg(feature = "log")]
#[test]
fn slow_polls_go_to_the_log() {
    use std::sync::Mutex;

    struct Logger(Mutex<Vec<String>>);
    impl log::Log for Logger {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            let level = if record.level() == log::Level::Warn { "warning" } else { "other" };
            self.0.lock().expect("no panic while it is locked").push(format!("{level}: {}", record.args()));
        }
        fn flush(&self) {}
    }

    static LOGGER: Logger = Logger(Mutex::new(Vec::new()));
    log::set_logger(&LOGGER).expect("there is no other test in this process");
    log::set_max_level(log::LevelFilter::Warn);
    hold_the_loop();
    let lines = LOGGER.0.lock().expect("no panic while it is locked");
    check(lines.iter().find(|line| !line.contains("still does")).expect("a line when the poll has ended"));
}
