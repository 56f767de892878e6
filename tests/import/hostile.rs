//! Commands that cannot be imported, files that are not overwritten, and texts that nobody meant.

use crate::common::{Dir, TestCommand};

/// The one line that an import ends with.
#[track_caller]
fn refused(command: &str, code: i32) -> String {
    let output = TestCommand::new().args(["import", "curl", "-"]).stdin(command).run().expect_code(code);
    assert_eq!((output.stdout(), output.stderr.lines().count()), ("", 1), "{output:?}");
    output.stderr
}

#[test]
fn what_cannot_be_imported_is_said_in_one_line() {
    for (command, text) in [
        ("", "there is no curl command in it"),
        ("wget http://a/", "there is no curl command in it"),
        ("curl -F a=@b http://a/", "-F cannot be imported: multipart forms are not sent"),
        ("curl -T f http://a/", "line 1: -T cannot be imported: write -X PUT --data-binary @FILE"),
        ("curl -K f http://a/", "-K cannot be imported"),
        (
            "curl --expand-url 'http://{{h}}/'",
            "--expand-url cannot be imported: its {{name}} is curl's own; write --url",
        ),
        ("curl --frob http://a/", "line 1: curl has no option --frob"),
        ("\n\ncurl -H", "line 3: -H needs a value"),
        ("curl -d x", "line 1: the command has no URL"),
        ("curl 'http://a/", "line 1: the quote ' is not closed"),
        ("curl http://a/ -H 'no colon'", "a header has no colon"),
        ("curl http://a/ -b jar.txt", "cookies are not read from files"),
        ("curl ftp://a/", "ftp"),
        ("curl http://a/ -d @nowhere", "the content nowhere cannot be read"),
        ("curl http://a/ -d @-", "@- reads stdin"),
        ("curl http://a/ -m soon", "-m: \"soon\" is no number of seconds"),
        ("curl \"http://a/$(id)\"", "are not run"),
        ("curl 'http://a/[1-5000]'", "stands for 5000 requests"),
        ("Invoke-WebRequest -Uri http://a/", "copy the request as cURL (bash)"),
    ] {
        let line = refused(command, 2);
        assert!(line.contains(text), "{command}: {line}");
    }
}

#[test]
fn files_that_are_there_stay_as_they_are() {
    let dir = Dir::new();
    dir.write("there", "mine");
    std::fs::create_dir(dir.join("folder")).expect("a folder");
    let call = |words: &str| {
        let words = words.split(' ');
        TestCommand::new()
            .args(["import", "curl", "-"])
            .args(words)
            .inside(&dir)
            .stdin("curl http://a/?token=abc")
            .run()
    };
    for (words, text) in [
        ("--output there", "there is there already"),
        ("--secrets there --output new", "there is there already"),
        ("--output folder", "folder is a folder"),
        ("--secrets -", "write --output PLAN.toml, too"),
    ] {
        let output = call(words).expect_code(1);
        assert!(output.stderr.contains(text), "{output:?}");
    }
    assert_eq!((dir.read("there"), dir.names()), ("mine".to_owned(), vec!["folder".to_owned(), "there".to_owned()]));
    let output = call("--output plan.toml --secrets -").expect_code(0);
    assert!(output.stdout().contains("\nTOKEN=abc\n"), "{output:?}");
    call("--output plan-2.toml --secrets plan.env").expect_code(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.join("plan.env")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let words = ["import", "curl", "-"];
    TestCommand::new()
        .args(words)
        .env("ROUNDUP_SECRETS", "there")
        .inside(&dir)
        .stdin("curl http://a/")
        .run()
        .expect_code(0);
    let output = call("--quiet").expect_code(0);
    assert!(output.stderr.is_empty() && output.stdout().contains("?token=${TOKEN}"), "{output:?}");
}

#[test]
fn what_a_plan_does_not_have_is_named_in_one_line() {
    let text = "export TOKEN=abc\ncurl http://a/$TOKEN --digest --limit-rate 5k -c jar\njq . x; wget http://b/";
    let output = TestCommand::new().args(["import", "curl", "-"]).stdin(text).run().expect_code(0);
    assert!(output.stderr.contains("has nothing like it: --digest, --limit-rate, -c\n"), "{output:?}");
    assert!(output.stderr.contains("it is not curl: jq, wget\n"), "{output:?}");
    assert!(output.stdout().contains("url = \"http://a/${TOKEN}\""), "{output:?}");
}

#[test]
fn any_text_is_imported_or_refused() {
    let pieces = [
        "curl",
        "curl.exe",
        " ",
        " -H ",
        " -d ",
        " --json ",
        "'",
        "\"",
        "^",
        "`",
        "\\\n",
        "\n",
        "$A",
        "${A}",
        "$(",
        "{a}",
        "{{a}}",
        "http://a/",
        "?token=",
        "&key=x",
        "a: b",
        "Cookie: c=d",
        "@",
        "%41",
        "é",
        "\u{0}",
        "\r",
        "=",
        "[1-2]",
        " -u a:b ",
        " -G ",
        "{\"password\":\"x\"}",
        "<<E\n",
        "E\n",
        "#",
        ";",
        "|",
        "$'\\x41'",
        "://",
        "roundupmark0z",
    ];
    let mut random = fastrand::Rng::with_seed(20);
    let mut good = 0;
    for _ in 0..20_000 {
        let count = random.usize(1..14);
        let text: String = "curl http://a/ "
            .chars()
            .map(String::from)
            .chain((0..count).map(|_| pieces[random.usize(..pieces.len())].to_owned()))
            .collect();
        let file = |_: &str| Err(roundup::Error::new(roundup::Kind::Config, "no files here"));
        let Ok(imported) = roundup::import::curl(&text, "text", &file) else { continue };
        good += 1;
        let value = |_: &str| Some("value".to_owned());
        let plan = roundup::plan::PlanReader::new().secrets(&value).read("plan", &imported.plan);
        if let Err(errors) = plan {
            // What is wrong with a request may be found by the plan's reader, but never that it is no plan.
            assert!(!errors.to_string().contains("TOML"), "{text:?}\n{errors}\n{}", imported.plan);
        }
    }
    assert!(good > 2_000, "{good}");
}

/// The plan that an import prints.
fn imported(command: &str) -> String {
    TestCommand::new().args(["import", "curl", "-"]).stdin(command).run().expect_code(0).stdout().to_owned()
}

#[test]
fn the_passphrase_of_a_certificate_and_secrets_of_a_referer_are_in_no_plan() {
    let plan = imported(
        "curl https://a.example/ -E client.pem:s3cret-0f-mine -e 'https://me:pa55-0f-mine@b.example/?access_token=t0ken-0f-mine&x=1'",
    );
    assert!(!plan.contains("0f-mine"), "{plan}");
    assert!(plan.contains("--cert client.pem") && plan.contains("access_token=${") && plan.contains("&x=1"), "{plan}");
    assert!(imported("curl https://a.example/ -E 'C:\\client.pem'").contains("C:\\client.pem"));
}

/// A line that ended within the comment above the plan began a table.
#[test]
fn an_option_cannot_put_a_job_into_the_plan() {
    let plan = imported("curl --resolve $'x\n[[job]]\nname=\"b\"\nurl=\"http://evil.example/\"\n#' http://a.example/");
    assert_eq!(plan.lines().filter(|line| line.starts_with("[[job]]")).count(), 1, "{plan}");
    assert!(plan.lines().filter(|line| line.contains("evil")).all(|line| line.starts_with('#')), "{plan}");
}

/// The password of a digest was sent as Basic, for every one on the way to read.
#[test]
fn a_password_for_another_login_is_not_sent_as_basic() {
    for option in ["--digest", "--ntlm", "--negotiate"] {
        let command = format!("curl -u me:s3cret {option} http://a/ -o /dev/null -w '%{{http_code}}'");
        let output = TestCommand::new().args(["import", "curl", "-"]).stdin(command).run().expect_code(0);
        assert!(!output.stdout().contains("user =") && !output.stdout().contains("PASSWORD"), "{output:?}");
        assert!(output.stderr.contains(&format!("has nothing like it: {option}, --user, -w\n")), "{output:?}");
    }
    let basic = "curl -u me:s3cret --digest --no-digest http://a/";
    let output = TestCommand::new().args(["import", "curl", "-"]).stdin(basic).run().expect_code(0);
    assert!(output.stdout().contains("user = "), "{output:?}");
}
