//! When each source was fetched: a bar a source on the time axis of the run, by phase. Phases differ in pattern and height,
//! not in colour alone.

use std::collections::HashMap;
use std::io;

use super::super::cell_words::RoundedDuration;
use super::super::run_info::RunInfo;
use super::markup::{Markup, escape};
use super::segments::{Axis, Part, Segment, in_flight, segments};
use super::sources;
use crate::milliseconds::fractional_ms;
use crate::outcome::Outcome;
use crate::tables::host;

pub(super) fn write(page: &mut Markup<'_>, run: &RunInfo, outcomes: &[Outcome]) -> io::Result<()> {
    let axis = Axis::new(run.elapsed, outcomes);
    page.raw(
        "<section id=\"timeline\" aria-labelledby=\"timeline-title\">\n<h2 id=\"timeline-title\">Timeline</h2>\n",
    )?;
    patterns(page, &axis)?;
    legend(page)?;
    flight(page, &axis, outcomes)?;
    ticks(page, &axis)?;
    let shown = sources::selection(outcomes);
    let mut hosts: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, outcome) in outcomes.iter().enumerate() {
        let host = host(&outcome.url).unwrap_or("other");
        let place = *places.entry(host).or_insert_with(|| {
            hosts.push((host, Vec::new()));
            hosts.len() - 1
        });
        hosts[place].1.push(at);
    }
    let open = hosts.len() == 1 || shown.len() <= OPEN_ROWS;
    let mut left_out = 0;
    for (name, all) in &hosts {
        let rows: Vec<usize> = all.iter().copied().filter(|at| shown.binary_search(at).is_ok()).collect();
        match (&rows[..], all.len()) {
            ([], _) => left_out += 1,
            ([one], 1) => row(page, &axis, *one, &outcomes[*one])?,
            _ => group(page, &axis, name, (all, &rows), outcomes, open)?,
        }
    }
    if left_out > 0 {
        page.raw(format_args!(
            "<p class=\"soft\">And {left_out} more hosts, of which nothing failed and nothing was slow.</p>\n"
        ))?;
    }
    page.raw("</section>\n")
}

/// The sources of one host.
fn group(
    page: &mut Markup<'_>,
    axis: &Axis,
    name: &str,
    (all, shown): (&[usize], &[usize]),
    outcomes: &[Outcome],
    open: bool,
) -> io::Result<()> {
    let spans = all.iter().flat_map(|at| outcomes[*at].attempts.iter());
    let spans = spans.map(|attempt| (fractional_ms(attempt.started), fractional_ms(attempt.started + attempt.total)));
    let (from, to) = spans.fold((f64::INFINITY, 0.0_f64), |(from, to), (start, end)| (from.min(start), to.max(end)));
    let failed = all.iter().filter(|at| !outcomes[**at].ok()).count();
    page.raw(format_args!(
        "<details class=\"host\"{}><summary><span class=\"w\"><b>",
        if open { " open" } else { "" }
    ))?;
    page.own(name)?;
    page.raw("</b><svg aria-hidden=\"true\"><rect width=\"100%\" height=\"16\" fill=\"url(#pg)\"/>")?;
    if from < to {
        let (x, width) = (axis.percent(from), axis.percent(to - from));
        page.raw(format_args!("<rect class=\"span\" x=\"{x:.2}%\" width=\"{width:.2}%\" y=\"4\" height=\"8\"/>"))?;
    }
    page.raw(format_args!("</svg><span>{}", all.len()))?;
    page.raw(if all.len() == 1 { " source" } else { " sources" })?;
    if failed > 0 {
        page.raw(format_args!(", <b class=\"bad\">\u{2717} {failed}</b>"))?;
    }
    page.raw("</span></span></summary><div>\n")?;
    for at in shown {
        row(page, axis, *at, &outcomes[*at])?;
    }
    if shown.len() < all.len() {
        page.raw(format_args!(
            "<p class=\"soft\">And {} more, which succeeded faster.</p>\n",
            all.len() - shown.len()
        ))?;
    }
    page.raw("</div></details>\n")
}

fn row(page: &mut Markup<'_>, axis: &Axis, at: usize, outcome: &Outcome) -> io::Result<()> {
    page.raw(format_args!("<div class=\"w\"><a href=\"#{}\"><bdi>", sources::id(at)))?;
    page.own(&outcome.name)?;
    page.raw("</bdi></a><svg role=\"img\"><title>")?;
    let segments = segments(outcome);
    page.raw(escape(&in_words(outcome, &segments)))?;
    page.raw("</title><rect width=\"100%\" height=\"16\" fill=\"url(#pg)\"/>")?;
    for segment in &segments {
        let Segment { part, from, to } = segment;
        let (y, height) = part.extent();
        page.raw(format_args!(
            "<rect class=\"{}\" x=\"{:.2}%\" width=\"{:.2}%\" y=\"{y}\" height=\"{height}\"/>",
            part.class(),
            axis.percent(*from),
            axis.percent(to - from).max(0.05),
        ))?;
    }
    page.raw("</svg><span>")?;
    if !outcome.ok() {
        page.raw("<b class=\"bad\">\u{2717}</b> ")?;
    }
    match outcome.attempts.len() {
        0 => page.raw("not tried"),
        1 => page.raw(RoundedDuration(outcome.timings.total)),
        tries => page.raw(format_args!("{}, {tries} tries", RoundedDuration(outcome.timings.total))),
    }?;
    page.raw("</span></div>\n")
}

/// The bar in words, for those who do not see it.
fn in_words(outcome: &Outcome, segments: &[Segment]) -> String {
    let mut words: Vec<String> = segments
        .iter()
        .map(|segment| {
            let time = std::time::Duration::from_secs_f64((segment.to - segment.from).max(0.0) / 1000.0);
            format!("{} {}", segment.part.short(), RoundedDuration(time))
        })
        .collect();
    if let Some(waits) = &outcome.waits {
        words.push(format!("waited {}", waits.in_words(|time| RoundedDuration(time).to_string())));
    }
    if !outcome.ok() {
        words.push("failed".to_owned());
    }
    words.join(", ")
}

/// How many sources were being fetched at each moment.
fn flight(page: &mut Markup<'_>, axis: &Axis, outcomes: &[Outcome]) -> io::Result<()> {
    let counts = in_flight(axis, outcomes);
    let most = counts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return Ok(());
    }
    let mut path = "M0 100".to_owned();
    for (at, count) in counts.iter().enumerate() {
        let y = 100.0 - f64::from(*count) / f64::from(most) * 100.0;
        path.push_str(&format!("V{y:.1}H{}", at + 1));
    }
    page.raw(format_args!(
        "<div class=\"w\"><b>Requests under way</b><svg class=\"flight\" viewBox=\"0 0 {} 100\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\"><path vector-effect=\"non-scaling-stroke\" d=\"{path}V100Z\"/></svg><span>at most {most} at once</span></div>\n",
        counts.len()
    ))
}

fn ticks(page: &mut Markup<'_>, axis: &Axis) -> io::Result<()> {
    page.raw("<div class=\"axis\" aria-hidden=\"true\"><span></span><svg>")?;
    for (at, label) in axis.ticks() {
        let anchor = if at > 95.0 {
            "end"
        } else if at < 2.0 {
            "start"
        } else {
            "middle"
        };
        page.raw(format_args!("<text x=\"{at:.2}%\" y=\"12\" text-anchor=\"{anchor}\">{label}</text>"))?;
    }
    page.raw("</svg><span></span></div>\n")
}

fn legend(page: &mut Markup<'_>) -> io::Result<()> {
    page.raw("<ul class=\"legend\" aria-label=\"Parts of a bar\">")?;
    for part in Part::ALL {
        let (y, height) = part.extent();
        page.raw(format_args!(
            "<li><svg aria-hidden=\"true\"><rect class=\"{}\" width=\"30\" y=\"{y}\" height=\"{height}\"/></svg>{}</li>",
            part.class(),
            part.meaning()
        ))?;
    }
    page.raw("</ul>\n")
}

/// What bars are filled with. They are in points of the screen, so that they look alike in bars of any length; the grid is
/// in parts of the axis.
fn patterns(page: &mut Markup<'_>, axis: &Axis) -> io::Result<()> {
    let step = axis.percent(axis.step) / 100.0;
    page.raw("<svg class=\"defs\" aria-hidden=\"true\"><defs>")?;
    page.raw(format_args!(
        "<pattern id=\"pg\" width=\"{step:.5}\" height=\"1\"><line class=\"grid\" x1=\"0.5\" x2=\"0.5\" y2=\"60\"/></pattern>"
    ))?;
    page.raw(PATTERNS)?;
    page.raw("</defs></svg>\n")
}

const PATTERNS: &str = r#"<pattern id="pq" width="4" height="2" patternUnits="userSpaceOnUse"><line class="sq" x2="2" y1="1" y2="1"/></pattern><pattern id="pb" width="8" height="3" patternUnits="userSpaceOnUse"><line class="sb" x2="5" y1="1.5" y2="1.5"/></pattern><pattern id="pp" width="6" height="16" patternUnits="userSpaceOnUse"><line class="sd" x1="3" x2="3" y2="16"/></pattern><pattern id="pd" width="4" height="16" patternUnits="userSpaceOnUse"><line class="sd" x1="2" x2="2" y2="16"/></pattern><pattern id="pc" width="5" height="5" patternUnits="userSpaceOnUse"><path class="sc" d="M-1 6L6 -1M-1 1L1 -1M4 6L6 4"/></pattern><pattern id="pt" width="4" height="4" patternUnits="userSpaceOnUse"><circle class="dt" cx="2" cy="2" r="1.2"/></pattern><pattern id="px" width="7" height="7" patternUnits="userSpaceOnUse"><path class="sx" d="M0 0L7 7M7 0L0 7"/></pattern>"#;

/// How many rows there may be for all hosts to be unfolded.
const OPEN_ROWS: usize = 100;
