//! File names that are valid everywhere and stay in their folder.

use std::collections::{HashMap, HashSet};

/// The longest file name in bytes that is made; file systems take 255, and a writer may add an ending of its own.
pub const MAX_FILE_NAME: usize = 200;

/// A file name for a job of this name, or for a URL: `weather[oslo]` stays, `https://a.example/v1?x=1` becomes
/// `a.example_v1_x=1`.
///
/// The result is one path component, valid on Windows too, at most [`MAX_FILE_NAME`] bytes, never empty, and does not
/// begin with a dot. Two names may give the same file name; [`FileNames`] tells them apart.
pub fn file_name(job_name: &str) -> String {
    let without_scheme = ["https://", "http://", "http+unix://"].iter().find_map(|scheme| {
        let has_it = job_name.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        has_it.then(|| &job_name[scheme.len()..])
    });
    // The path of a socket: its slashes are written as codes.
    let of_socket = job_name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("http+unix:"));
    let decoded = of_socket.then(|| job_name.replace("%2F", "/").replace("%2f", "/"));
    let without_scheme = decoded.as_deref().map_or(without_scheme, |decoded| decoded.get(12..));
    let mut name = String::new();
    for c in without_scheme.unwrap_or(job_name).chars() {
        let c = if c.is_alphanumeric() || "-.,=+@()[]".contains(c) { c } else { '_' };
        if name.len() + c.len_utf8() > MAX_FILE_NAME {
            break;
        }
        if c != '_' || !name.ends_with('_') {
            name.push(c);
        }
    }
    // A leading dot hides a file, `.` and `..` are no files, Windows drops dots at the end, a leading dash looks like
    // an option to every command that is given the file.
    let name = name.trim_start_matches(['.', '_', '-']).trim_end_matches(['.', '_']);
    if name.is_empty() {
        return "body".to_owned();
    }
    if !is_reserved(name) {
        return name.to_owned();
    }
    let (stem, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
    format!("{stem}_{rest}")
}

/// Gives every job of a run its own file name, also on systems that do not tell upper from lower case.
#[derive(Clone, Debug, Default)]
pub struct FileNames {
    taken: HashSet<String>,
    next: HashMap<String, u32>,
}

impl FileNames {
    /// No name is taken yet.
    pub fn new() -> FileNames {
        FileNames::default()
    }

    /// Marks a name as taken by something else, such as a report or the `output` of a job.
    pub fn reserve(&mut self, name: &str) {
        self.taken.insert(name.to_lowercase());
    }

    /// The [`file_name`] of a job, with `-2`, `-3` and so on if it is taken.
    pub fn name_for(&mut self, job_name: &str) -> String {
        let base = file_name(job_name);
        let key = base.to_lowercase();
        if self.taken.insert(key.clone()) {
            return base;
        }
        let number = self.next.entry(key).or_insert(1);
        loop {
            *number += 1;
            let suffix = format!("-{number}");
            let name = format!("{}{suffix}", cut(&base, MAX_FILE_NAME - suffix.len()));
            if self.taken.insert(name.to_lowercase()) {
                return name;
            }
        }
    }
}

/// Checks the `output` of a plan: a relative path that stays below its folder and means the same everywhere.
///
/// # Errors
/// What is wrong, to follow the path.
pub(super) fn check_relative(path: &str) -> Result<(), &'static str> {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.starts_with(|c: char| c.is_ascii_alphabetic());
    if path.is_empty() {
        return Err("names no file");
    }
    if drive || path.starts_with(['/', '\\']) {
        return Err("is an absolute path: write a path below the output folder");
    }
    for component in path.split(['/', '\\']) {
        match component {
            ".." => return Err("leaves the output folder: \"..\" is not allowed"),
            "" | "." => return Err("has an empty step or \".\" in it: write folder/file"),
            _ => {}
        }
        if component.contains(|c: char| c.is_control() || "<>:\"|?*".contains(c)) {
            return Err(
                "has a character that not every system allows: leave out < > : \" | ? * and control characters",
            );
        }
        if component.ends_with(['.', ' ']) || component.starts_with(' ') {
            return Err(
                "has a name that begins with a space or ends with a space or a dot, which not every system allows",
            );
        }
        if is_reserved(component) {
            return Err("has a name that Windows keeps for devices, such as CON, NUL or COM1");
        }
        if component.len() > MAX_FILE_NAME {
            return Err("has a name longer than 200 bytes");
        }
    }
    if path.contains('\\') {
        return Err("has a backslash: write / between folders");
    }
    Ok(())
}

/// Whether Windows takes the name for a device, whatever its ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |prefix: &str| {
        let number = stem.strip_prefix(prefix).unwrap_or_default();
        number.chars().count() == 1 && number.contains(|c: char| c.is_ascii_digit() || "\u{b9}\u{b2}\u{b3}".contains(c))
    };
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// The text, cut to at most so many bytes at a character.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_everywhere() {
        for (name, file) in [
            ("weather[oslo]", "weather[oslo]"),
            ("https://a.example/v1?x=1&y=2", "a.example_v1_x=1_y=2"),
            ("http+unix://%2Frun%2fdocker.sock/v1/info", "run_docker.sock_v1_info"),
            ("http+unix:", "http+unix"),
            ("HTTP://[::1]:80/", "[_1]_80"),
            ("../../etc/passwd", "etc_passwd"),
            ("..", "body"),
            ("", "body"),
            (" / ", "body"),
            (".hidden", "hidden"),
            ("-rf", "rf"),
            ("CON", "CON_"),
            ("nul.txt", "nul_.txt"),
            ("com1", "com1_"),
            ("COM\u{b9}", "COM\u{b9}_"),
            ("COM10", "COM10"),
            ("a\\b:c*d?e\"f<g>h|i", "a_b_c_d_e_f_g_h_i"),
            ("a\r\n\0b", "a_b"),
            ("dots...", "dots"),
            ("caf\u{e9} \u{6771}\u{4eac}", "caf\u{e9}_\u{6771}\u{4eac}"),
        ] {
            assert_eq!(file_name(name), file, "{name}");
            assert_eq!(check_relative(&file_name(name)), Ok(()), "{name}");
        }
        let long = file_name(&"\u{e9}".repeat(300));
        assert_eq!(long.len(), MAX_FILE_NAME);
    }

    #[test]
    fn names_are_unique_without_case() {
        let mut names = FileNames::new();
        names.reserve("report.html");
        for (name, file) in
            [("A", "A"), ("a", "a-2"), ("a-2", "a-2-2"), ("A", "A-3"), ("Report.html", "Report.html-2"), ("b", "b")]
        {
            assert_eq!(names.name_for(name), file);
        }
        let long = "\u{e9}".repeat(300);
        assert_ne!(names.name_for(&long), names.name_for(&long));
        assert!(names.name_for(&long).len() <= MAX_FILE_NAME);
    }

    #[test]
    fn outputs_stay_below_their_folder() {
        for good in ["a.json", "a/b.json", "weather [oslo].json", ".hidden", "a..b", "console"] {
            assert_eq!(check_relative(good), Ok(()), "{good}");
        }
        for (bad, part) in [
            ("", "no file"),
            ("/etc/passwd", "absolute"),
            ("\\\\server\\share", "absolute"),
            ("C:\\x", "absolute"),
            ("c:x", "absolute"),
            ("../x", "leaves"),
            ("a/../../x", "leaves"),
            ("a\\..\\x", "leaves"),
            ("a//b", "empty step"),
            ("./a", "empty step"),
            ("a/", "empty step"),
            ("a\\b", "backslash"),
            ("ab:c", "character"),
            ("a\nb", "character"),
            ("a.", "ends with"),
            ("a /b", "ends with"),
            ("aux", "devices"),
            ("a/Nul.txt", "devices"),
        ] {
            assert!(check_relative(bad).expect_err(bad).contains(part), "{bad}");
        }
        assert!(check_relative(&"x".repeat(201)).is_err());
    }
}
