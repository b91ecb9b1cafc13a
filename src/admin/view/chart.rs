//! Outcomes over time, as a stacked bar chart in SVG.
//!
//! Made of numbers and times alone: no word of a client comes into it.

use std::fmt::Write as _;

use crate::audit::tally::{OUTCOMES, Outcomes, time_of_minute};

use super::words;

/// In pixels; what runs along the other way is in percent, so that text keeps its size on a narrow page.
const HEIGHT: f64 = 190.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 24.0;
/// Fewer bars than so many stand as narrow as if they were.
const FEWEST_SLOTS: usize = 24;

/// A span of time and what came of its statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `2026-11-24 06:00`
    pub from: String,
    /// Where it begins and ends, in the form of a record's `time`.
    pub since: String,
    /// Before.
    pub until: String,
    /// Statements by outcome, in the order of [`OUTCOMES`].
    pub outcomes: Outcomes,
}

/// A chart and the same as numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chart {
    /// The picture; empty where there is nothing to show.
    pub svg: String,
    /// `15 minutes`: what one bar stands for.
    pub step: String,
    /// The spans in which anything happened.
    pub spans: Vec<Span>,
}

/// Of spans that are `step` minutes long, each with its first minute.
pub fn outcomes(step: i64, spans: &[(i64, Outcomes)]) -> Chart {
    let most = spans.iter().map(|(_, o)| o.total()).max().unwrap_or(0);
    if most == 0 {
        return Chart::default();
    }
    let (line, lines) = scale(most);
    let top = line * lines;
    let mut svg =
        format!("<svg class=\"chart\" width=\"100%\" height=\"{HEIGHT}\" aria-hidden=\"true\" focusable=\"false\">");
    let y = |value: u64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - ratio(value, top));
    let slot = 100.0 / to_f64(spans.len().max(FEWEST_SLOTS));
    for (index, (minute, outcomes)) in spans.iter().enumerate() {
        bar(&mut svg, (slot * to_f64(index), slot), (*minute, step), outcomes, &y);
    }
    for n in 0..=lines {
        let at = y(n * line);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>"
        );
        if n > 0 {
            let label = words::count(n * line);
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"100%\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                at - 4.0
            );
        }
    }
    let every = spans.len().div_ceil(6).max(1);
    for (index, (minute, _)) in spans.iter().enumerate().step_by(every) {
        // A narrow page shows every other one.
        let class = if (index / every).is_multiple_of(2) {
            "tick"
        } else {
            "tick odd"
        };
        let _ = write!(
            svg,
            "<text class=\"{class}\" x=\"{:.2}%\" y=\"{:.1}\">{}</text>",
            slot * to_f64(index),
            HEIGHT - 6.0,
            label(*minute, step)
        );
    }
    svg.push_str("</svg>");
    let some = spans.iter().filter(|(_, o)| o.total() > 0);
    Chart {
        svg,
        step: length(step),
        spans: some
            .map(|(minute, outcomes)| Span {
                from: words::time(&time_of_minute(*minute)).chars().take(16).collect(),
                since: time_of_minute(*minute),
                until: time_of_minute(minute + step),
                outcomes: *outcomes,
            })
            .collect(),
    }
}

fn bar(
    svg: &mut String,
    (x, slot): (f64, f64),
    (minute, step): (i64, i64),
    outcomes: &Outcomes,
    y: &dyn Fn(u64) -> f64,
) {
    if outcomes.total() == 0 {
        return;
    }
    let from = words::time(&time_of_minute(minute));
    let said: Vec<String> = OUTCOMES
        .iter()
        .zip(outcomes.0)
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{} {outcome}", words::count(count)))
        .collect();
    let _ = write!(
        svg,
        "<a href=\"/events?since={}&amp;until={}\" tabindex=\"-1\"><title>{from}, {}: {}</title>",
        time_of_minute(minute),
        time_of_minute(minute + step),
        length(step),
        said.join(", ")
    );
    let width = slot * 0.82;
    let mut below = 0;
    for (outcome, count) in OUTCOMES.iter().zip(outcomes.0).filter(|(_, count)| *count > 0) {
        let (low, high) = (y(below), y(below + count));
        below += count;
        // One refusal among a thousand must be seen.
        let height = (low - high).max(1.5);
        let _ = write!(
            svg,
            "<rect class=\"o-{outcome}\" x=\"{x:.2}%\" y=\"{:.1}\" width=\"{width:.2}%\" height=\"{height:.1}\"/>",
            low - height
        );
    }
    svg.push_str("</a>");
}

/// The distance of the lines, and how many there are above the lowest.
fn scale(most: u64) -> (u64, u64) {
    let mut unit = 1_u64;
    loop {
        for step in [1, 2, 5] {
            let line = unit.saturating_mul(step);
            if most.div_ceil(line) <= 4 {
                return (line, most.div_ceil(line).max(1));
            }
        }
        unit = unit.saturating_mul(10);
    }
}

fn label(minute: i64, step: i64) -> String {
    let time = time_of_minute(minute);
    let (day, clock) = words::day_and_clock(&time);
    let (month_day, hours) = (day.get(5..).unwrap_or_default(), clock.get(..5).unwrap_or_default());
    if step >= 1440 {
        day
    } else if step >= 60 {
        format!("{month_day} {hours}")
    } else {
        hours.to_owned()
    }
}

fn length(step: i64) -> String {
    let step = u64::try_from(step).unwrap_or_default();
    match step {
        0..60 => words::counted(step, "minute"),
        60..1440 => words::counted(step / 60, "hour"),
        1440.. => words::counted(step / 1440, "day"),
    }
}

/// A share of a whole for a narrow bar in a table, in whole pixels of `width`.
pub fn share(part: u64, whole: u64, width: u32) -> u32 {
    let pixels = u128::from(part) * u128::from(width) / u128::from(whole.max(1));
    u32::try_from(pixels).unwrap_or(width).max(u32::from(part > 0))
}

fn ratio(part: u64, whole: u64) -> f64 {
    // Six digits are more than a picture shows.
    let millionths = u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    f64::from(u32::try_from(millionths).unwrap_or(u32::MAX)) / 1_000_000.0
}

fn to_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_shows_each_outcome_of_each_span() {
        assert_eq!(outcomes(1, &[]), Chart::default());
        assert_eq!(outcomes(1, &[(5, Outcomes::default())]), Chart::default());
        let spans = [
            (0, Outcomes([998, 0, 0, 0, 1, 0])),
            (60, Outcomes::default()),
            (120, Outcomes([0, 0, 2, 0, 0, 0])),
        ];
        let chart = outcomes(60, &spans);
        assert_eq!(chart.svg.matches("<rect").count(), 3);
        assert!(chart.svg.contains("1970-01-01 00:00:00, 1 hour: 998 allow, 1 refuse"));
        assert_eq!((chart.spans.len(), chart.step.as_str()), (2, "1 hour"));
    }

    #[test]
    fn scales_are_round_and_cover_all() {
        for most in [1, 3, 4, 5, 9, 17, 100, 999, 12_345, u64::MAX / 100] {
            let (line, lines) = scale(most);
            assert!(line * lines >= most && lines <= 4, "{most}");
        }
        assert_eq!((share(1, 1_000_000, 80), share(5, 10, 80), share(0, 1, 80)), (1, 40, 0));
    }
}
