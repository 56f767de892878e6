//! From flags to settings of every job.

use roundup::{Error, Field, Kind, Result, SettingsPatch};

use super::content;
use crate::cli::flags::Flags;
use crate::cli::input;

/// What the flags say over the settings of every job.
pub(super) fn patch(flags: &Flags) -> Result<SettingsPatch> {
    let headers = flags.all("header").iter().map(|field| field.parse(header)).collect::<Result<Vec<_>>>()?;
    let mut headers: Vec<Field> = headers.into_iter().flatten().collect();
    headers.extend(content::json_fields(flags, &headers)?);
    Ok(SettingsPatch {
        timeout: flags.time("timeout")?,
        connect_timeout: flags.time("connect_timeout")?,
        job_timeout: flags.time("job_timeout")?,
        retries: flags.count("retries")?,
        retry_on: flags.parsed("retry_on", str::parse)?,
        retry_unsafe: flags.switch("retry_unsafe")?,
        retry_after_max: flags.time("retry_after_max")?,
        follow: flags.count("follow")?,
        max_body: flags.size("max_body")?,
        accept: flags.parsed("accept", str::parse)?,
        raw: flags.switch("raw")?,
        cache: flags.switch("cache")?,
        stale_if_error: flags.time("stale_if_error")?,
        data: content::content(flags)?,
        method: flags.parsed("method", str::parse)?,
        headers,
        ..SettingsPatch::default()
    })
}

/// What `--header` takes, as in curl: `Name: value`, `Name:` for no field of that name, `Name;` for an empty one, and
/// `@FILE` for a file with one of these in each line.
fn header(text: &str) -> Result<Vec<Field>> {
    match text.strip_prefix('@') {
        None => Field::from_option(text).map(|field| vec![field]),
        Some(file) => {
            let lines = input::text(file, "the file of headers")?;
            let numbered = lines.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
            let lines = numbered.filter(|(_, line)| !line.is_empty());
            let read = |(at, line): (usize, &str)| {
                Field::from_option(line).map_err(|error| {
                    Error::new(Kind::Config, format!("{}:{at}: {}", input::shown(file), error.one_line()))
                })
            };
            lines.map(read).collect()
        }
    }
}
