//! Files and their places.

use std::error::Error as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use roundup::report::{self, Destination, Format, Needs, OpenReport, Output, Report, RunInfo, Style};
use roundup::{Kind, Outcome, Redactor, Summary};

use super::samples::ok;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("roundup-test-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder for temporary files can be written");
        Folder(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("it is there");
        let mut names = Vec::from_iter(
            entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()),
        );
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A report that is the names of its outcomes.
#[derive(Debug)]
struct Names {
    streams: bool,
}

impl Report for Names {
    fn needs(&self) -> Needs {
        Needs { streams: self.streams, ..Needs::default() }
    }

    fn result(&mut self, out: &mut dyn Write, _: &Redactor, outcome: &Outcome) -> io::Result<()> {
        out.write_all(outcome.name.as_bytes())
    }

    fn finish(&mut self, out: &mut dyn Write, _: &RunInfo, _: &Summary, outcomes: &[Outcome]) -> io::Result<()> {
        outcomes.iter().filter(|_| !self.streams).try_for_each(|outcome| out.write_all(outcome.name.as_bytes()))
    }
}

const WHOLE: Format = Format { name: "whole", endings: &[], about: "", report: |_| Box::new(Names { streams: false }) };
const STREAM: Format =
    Format { name: "stream", endings: &[], about: "", report: |_| Box::new(Names { streams: true }) };

fn to(format: Format, file: &Path) -> Output {
    Output { format, template: None, destination: Destination::File(file.to_owned()) }
}

fn open(outputs: &[Output]) -> roundup::Result<Vec<OpenReport>> {
    report::open(outputs, &Style::default())
}

fn open_one(format: Format, file: &Path) -> roundup::Result<OpenReport> {
    Ok(open(&[to(format, file)])?.remove(0))
}

fn finish(report: OpenReport, text: &str) -> roundup::Result<()> {
    report.finish(&RunInfo::default(), &Summary::default(), &[ok(0, text, "", b"")])
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("it was written")
}

#[test]
fn specs() {
    let named = |name: &str| name.parse::<Format>().expect("a format");
    let stdout = Output { format: named("json"), template: None, destination: Destination::Stdout };
    for text in ["json", "json=-"] {
        assert_eq!(Output::parse(text).ok(), Some(stdout.clone()), "{text}");
    }
    assert_eq!(Output::parse("jsonl=./-").ok(), Some(to(named("jsonl"), Path::new("./-"))));
    assert_eq!(Output::parse("json=a=b").ok(), Some(to(named("json"), Path::new("a=b"))));
    for (text, format) in [("out/r.JSON", "json"), ("a.ndjson", "jsonl"), ("./r.csv", "csv"), ("r.txt", "table")] {
        assert_eq!(Output::parse(text).ok(), Some(to(named(format), Path::new(text))), "{text}");
    }
    for (text, message) in [
        ("json=", r#""json=" names no file: write json=FILE, or json alone for stdout"#),
        ("xml=a", r#""xml" is not a report format: write one of json, jsonl, table, html, md, csv, har, junit, prom"#),
        ("", r#""" is not a report format: write one of json, jsonl, table, html, md, csv, har, junit, prom"#),
        ("JSON", r#""JSON" is not a report format: write one of json, jsonl, table, html, md, csv, har, junit, prom"#),
    ] {
        let error = Output::parse(text).expect_err("not a target");
        // Formats of cargo features come behind these.
        assert!(error.kind() == Kind::Config && error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = Folder::new();
    let file = folder.file("report.json");
    let opened = open_one(WHOLE, &file).expect("it can be written");
    assert!(!file.exists());
    let names = folder.names();
    assert!(names.len() == 1 && names[0].starts_with(".roundup-") && names[0].ends_with(".part"), "{names:?}");
    drop(opened);
    assert!(folder.names().is_empty());

    fs::write(&file, "old").expect("it can be written");
    let mut opened = open_one(WHOLE, &file).expect("it can be written");
    opened.results(&Redactor::default(), &[ok(0, "not asked for", "", b"")]).expect("nothing to write");
    assert_eq!(read(&file), "old");
    finish(opened, "new").expect("it can be renamed");
    assert_eq!(read(&file), "new");
    assert_eq!(folder.names(), ["report.json"]);
}

#[test]
fn lines_can_be_watched_and_get_their_name_when_they_are_whole() {
    let folder = Folder::new();
    let (file, part) = (folder.file("log.jsonl"), folder.file("log.jsonl.part"));
    fs::write(&file, "something longer from an earlier run").expect("it can be written");
    let mut opened = open_one(STREAM, &file).expect("it can be written");
    assert_eq!(opened.kept(), None);
    assert_eq!(read(&part), "");
    opened.results(&Redactor::default(), &[ok(0, "{}\n", "", b"")]).expect("there is room");
    assert_eq!(read(&part), "{}\n");
    assert_eq!(read(&file), "something longer from an earlier run");
    let error = open_one(STREAM, &file).expect_err("it is written already").one_line();
    assert!(error.contains("another run") || cfg!(not(any(unix, windows))), "{error}");
    drop(opened);
    assert_eq!(read(&part), "{}\n", "what was written stays");

    let kept = folder.file("log.jsonl.part.1");
    let opened = open_one(STREAM, &file).expect("it can be written");
    assert_eq!(opened.kept().and_then(Path::file_name), kept.file_name());
    assert_eq!((read(&kept), read(&part)), ("{}\n".to_owned(), String::new()));
    finish(opened, "").expect("it can be renamed");
    assert_eq!(folder.names(), ["log.jsonl", "log.jsonl.part.1"]);
}

#[test]
fn nothing_changes_unless_all_can_be_opened() {
    let folder = Folder::new();
    let (lines, missing) = (folder.file("log.jsonl"), folder.file("none/report.json"));
    fs::write(&lines, "old\n").expect("it can be written");
    let targets = [to(STREAM, &lines), to(WHOLE, &folder.file("t.txt")), to(WHOLE, &missing)];
    let error = open(&targets).expect_err("there is no such folder");
    assert_eq!(error.kind(), Kind::Io);
    let (file, parent) = (format!("{missing:?}"), format!("{:?}", folder.file("none")));
    let expected = format!("cannot write the report to {file}: there is no folder {parent}, create it or name another");
    assert_eq!(error.to_string(), expected);
    assert!(error.source().is_some());
    assert_eq!(read(&lines), "old\n");
    assert_eq!(folder.names(), ["log.jsonl"]);
}

#[test]
fn paths_that_cannot_be_written_say_why() {
    let folder = Folder::new();
    fs::write(folder.file("file"), "").expect("it can be written");
    for format in [WHOLE, STREAM] {
        let message = |path: &Path| open_one(format, path).expect_err("it cannot be written").one_line();
        for looks_like_a_folder in ["", "none/", "none/.", "..", "none/.."] {
            let message = message(&folder.0.join(looks_like_a_folder));
            assert!(message.contains("it is a folder, name a file in it"), "{message}");
        }
        let below = message(&folder.file("file").join("report"));
        assert!(below.contains("file\" is not a folder") || cfg!(windows), "{below}");
        let hostile = message(&folder.file("no\nne/\x1b[31m"));
        assert!(!hostile.contains(char::is_control), "{hostile:?}");
    }
    assert_eq!(folder.names(), ["file"]);
}

#[test]
fn two_reports_cannot_have_one_place() {
    let stdout = || Output::parse("table").expect("a format");
    let error = open(&[stdout(), Output::parse("json").expect("a format")]).expect_err("one stdout");
    let message = "two reports, table and json, cannot both go to stdout: give one of them another file";
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Config, message));
    let folder = Folder::new();
    let file = folder.file("r");
    for other in [WHOLE, STREAM] {
        let error = open(&[to(WHOLE, &file), to(other, &file)]).expect_err("one file");
        assert_eq!(error.kind(), Kind::Config);
    }
    fs::create_dir(folder.file("sub")).expect("it can be made");
    for same in ["./r", "sub/../r"] {
        let error = open(&[to(WHOLE, &file), to(WHOLE, &folder.file(same))]);
        assert_eq!(error.expect_err("one file by two names").kind(), Kind::Config, "{same}");
    }
    let opened = open(&[stdout(), to(WHOLE, &file), to(STREAM, &folder.file("s"))]);
    let opened = opened.expect("three places");
    assert!(opened[0].is_stdout() && !opened[1].is_stdout());
    assert!(opened[2].needs().streams && !opened[1].needs().streams);
}

#[test]
fn a_name_as_long_as_names_may_be() {
    let folder = Folder::new();
    let file = folder.file(&"é".repeat(100));
    let opened = open_one(WHOLE, &file).expect("it can be written");
    finish(opened, "{}").expect("it can be renamed");
    assert_eq!(read(&file), "{}");
}

#[test]
fn a_failing_write_names_the_file_and_the_cause() {
    let folder = Folder::new();
    #[derive(Debug)]
    struct Broken;
    impl Report for Broken {
        fn finish(&mut self, _: &mut dyn Write, _: &RunInfo, _: &Summary, _: &[Outcome]) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let broken = Format { name: "broken", report: |_| Box::new(Broken), ..WHOLE };
    let opened = open_one(broken, &folder.file("r")).expect("it can be written");
    let error = finish(opened, "").expect_err("so it said");
    assert!(error.to_string().starts_with("cannot write the report to \""), "{error}");
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::BrokenPipe));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn permissions_stay() {
        let folder = Folder::new();
        let file = folder.file("r");
        for bits in [0o600, 0o640, 0o666] {
            fs::write(&file, "old").expect("it can be written");
            fs::set_permissions(&file, fs::Permissions::from_mode(bits)).expect("it is ours");
            let opened = open_one(WHOLE, &file).expect("it can be written");
            let temporary = folder.names().into_iter().find(|name| name.starts_with(".roundup-")).expect("beside it");
            assert_eq!(mode(&folder.file(&temporary)), bits);
            finish(opened, "new").expect("it can be renamed");
            assert_eq!((mode(&file), read(&file).as_str()), (bits, "new"));
        }
    }

    #[test]
    fn a_new_file_is_as_open_as_any() {
        let folder = Folder::new();
        fs::write(folder.file("plain"), "").expect("it can be written");
        let opened = open_one(WHOLE, &folder.file("r")).expect("it can be written");
        finish(opened, "x").expect("it can be renamed");
        assert_eq!(mode(&folder.file("r")), mode(&folder.file("plain")));
    }

    #[test]
    fn write_protection_holds() {
        let folder = Folder::new();
        let file = folder.file("r");
        fs::write(&file, "old").expect("it can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("it is ours");
        // Root may write all the same; then there is nothing to see.
        if fs::File::options().write(true).open(&file).is_err() {
            let error = open_one(WHOLE, &file).expect_err("it is write-protected");
            assert!(error.to_string().contains("name a file that may be written"), "{error}");
            assert_eq!(folder.names(), ["r"]);
        }
    }

    #[test]
    fn links_are_followed() {
        let folder = Folder::new();
        fs::create_dir(folder.file("real")).expect("it can be made");
        symlink("real/r.json", folder.file("link")).expect("links can be made");
        symlink("link", folder.file("link2")).expect("links can be made");
        for text in ["first, where the link leads to nothing", "second"] {
            let opened = open_one(WHOLE, &folder.file("link2")).expect("it can be written");
            finish(opened, text).expect("it can be renamed");
            assert_eq!(read(&folder.file("real/r.json")), text);
        }
        assert!(fs::symlink_metadata(folder.file("link2")).expect("it is there").is_symlink());
        let both = [to(WHOLE, &folder.file("link")), to(WHOLE, &folder.file("real/r.json"))];
        assert_eq!(open(&both).expect_err("one file by two names").kind(), Kind::Config);
        symlink("circle", folder.file("circle")).expect("links can be made");
        let error = open_one(WHOLE, &folder.file("circle")).expect_err("it leads nowhere");
        assert!(error.one_line().contains("symbolic links"), "{}", error.one_line());
    }

    #[test]
    fn devices_are_written_in_place() {
        let opened = open_one(WHOLE, Path::new("/dev/null")).expect("it takes everything");
        finish(opened, "{}").expect("nothing to rename");
        assert!(!fs::metadata("/dev/null").expect("it is there").is_file());
        assert_eq!(Output::parse("json=/dev/stdout").ok(), Output::parse("json").ok());
    }

    #[test]
    fn a_named_pipe_is_written_through() {
        let folder = Folder::new();
        let pipe = folder.file("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is in POSIX").success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || read(&pipe)
        });
        let opened = open_one(WHOLE, &pipe).expect("it has a reader");
        finish(opened, "{}").expect("nothing to rename");
        assert_eq!(reader.join().expect("it read"), "{}");
        assert_eq!(folder.names(), ["pipe"]);
    }

    #[test]
    fn what_cannot_be_put_in_place_is_kept() {
        let folder = Folder::new();
        let file = folder.file("r");
        let opened = open_one(WHOLE, &file).expect("it can be written");
        // Another program makes a folder of that name while the run goes on.
        fs::create_dir(&file).expect("it can be made");
        let error = finish(opened, "{}").expect_err("there is a folder");
        let kept = folder.names().into_iter().find(|name| name.starts_with(".roundup-")).expect("the report is kept");
        assert!(error.to_string().contains(&kept), "{error}");
        assert_eq!(read(&folder.file(&kept)), "{}");
    }
}
