//! The report: a table for each workload, a plot of what a query costs, and the machine.

use std::fmt::Write as _;
use std::fs;

use crate::Outcome;
use crate::measure::median;
use crate::stage::Stage;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/README.md");
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load.svg");
const BEGIN: &str = "<!-- what `cargo bench --bench load -- --write` measured: begin -->";
const END: &str = "<!-- end -->";

/// A workload's table, in Markdown. Ratios are medians of the ratios of each round.
pub fn table(outcome: &Outcome, stage: &Stage) -> String {
    let workload = outcome.workload;
    let mut out = format!("**{}** — {}\n\n", workload.name, workload.title);
    let better = if workload.less_is_better { "less" } else { "more" };
    let _ = writeln!(
        out,
        "| | {} ({better} is better) | ratio to direct | to pgbouncer | CPU µs per {} | ratio to forwarder | to pgbouncer |",
        workload.unit, workload.cpu_per
    );
    out.push_str("|---|---:|---:|---:|---:|---:|---:|\n");
    for (n, target) in stage.targets.iter().enumerate() {
        let values: Vec<f64> = outcome.samples[n].iter().map(|s| s.value).collect();
        let cpus: Vec<f64> = outcome.samples[n].iter().map(|s| s.cpu).collect();
        let value = |to: usize| ratio(outcome, n, to, |s| s.value);
        let cpu = |to: usize| ratio(outcome, n, to, |s| s.cpu);
        let cost = match target.pid {
            Some(_) => format!("{:.1} | {:.2} | {:.2}", median(&cpus), cpu(2), cpu(1)),
            None => " | | ".to_owned(),
        };
        let _ = writeln!(
            out,
            "| {} | {:.1} | {:.2} | {:.2} | {cost} |",
            target.name,
            median(&values),
            value(0),
            value(1)
        );
    }
    out
}

fn ratio(outcome: &Outcome, n: usize, to: usize, of: impl Fn(&crate::Sample) -> f64) -> f64 {
    let pairs = outcome.samples[n].iter().zip(&outcome.samples[to]);
    median(&pairs.map(|(a, b)| of(a) / of(b)).collect::<Vec<_>>())
}

/// Puts tables and plot into the report.
pub fn write(outcomes: &[Outcome], stage: &Stage) {
    let mut text = format!("{BEGIN}\n\n{}\n\n![CPU of a query](load.svg)\n", machine());
    for outcome in outcomes {
        let _ = write!(text, "\n{}", table(outcome, stage));
    }
    let _ = write!(text, "\n{END}");
    let readme = fs::read_to_string(README).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the report has its place");
    let (_, after) = rest.split_once(END).expect("the place has an end");
    fs::write(README, format!("{before}{text}{after}")).unwrap();
    fs::write(PLOT, plot(outcomes, stage)).unwrap();
}

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|l| l.strip_prefix("model name\t: "))
        .unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Machine: {cores} × {model}, Linux {}.", kernel.trim())
}

/// Bars of CPU per query, for the workloads that count it so.
fn plot(outcomes: &[Outcome], stage: &Stage) -> String {
    let shown: Vec<&Outcome> = outcomes.iter().filter(|o| o.workload.cpu_per == "query").collect();
    let cpu = |o: &Outcome, n: usize| median(&o.samples[n].iter().map(|s| s.cpu).collect::<Vec<_>>());
    let most = shown
        .iter()
        .flat_map(|o| (1..stage.targets.len()).map(|n| cpu(o, n)))
        .fold(1.0, f64::max);
    let (bar, gap, left, width) = (14, 18, 110, 520.0);
    let height = shown.len() * (bar * (stage.targets.len() - 1) + gap) + 40;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>CPU of a query, in microseconds</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let colours = ["", "#9aa5b1", "#cbd2d9", "#8fb8d6", "#2f6f9f"];
    let bars = stage.targets.len() - 1;
    for (n, target) in stage.targets.iter().enumerate().skip(1) {
        let x = left + (n - 1) * 140;
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"10\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"19\">{}</text>",
            colours[n],
            x + 15,
            target.name
        );
    }
    for (row, outcome) in shown.iter().enumerate() {
        let y = 34 + row * (bar * bars + gap);
        let _ = writeln!(
            out,
            "<text x=\"4\" y=\"{}\">{}</text>",
            y + bar * bars / 2 + 3,
            outcome.workload.name
        );
        for (n, colour) in colours.iter().enumerate().take(stage.targets.len()).skip(1) {
            let value = cpu(outcome, n);
            let (y, length) = (y + (n - 1) * bar, value / most * width);
            let _ = writeln!(
                out,
                "<rect x=\"{left}\" y=\"{y}\" width=\"{length:.0}\" height=\"{}\" fill=\"{}\"/>\
                 <text x=\"{:.0}\" y=\"{}\">{value:.1} µs</text>",
                bar - 2,
                colour,
                left as f64 + length + 4.0,
                y + bar - 4
            );
        }
    }
    out.push_str("</svg>\n");
    out
}
