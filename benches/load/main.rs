//! What the proxy costs under load: PostgreSQL direct, PgBouncer, a forwarder that looks at nothing, and the
//! proxy with enforcement, masks and audit on, one after the other in each round, the order rotated.
//!
//! ```text
//! cargo bench --bench load                       # seven rounds of everything, a table on standard output
//! cargo bench --bench load -- --rounds 3 lat thr # only workloads whose names begin so
//! cargo bench --bench load -- --write            # and the report in benches/README.md
//! ```
//!
//! Trust ratios within a round, and CPU before time: machines are noisy. Needs pgbench and pgbouncer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a bench fails loudly

mod client;
#[path = "../../tests/common/mod.rs"]
mod common;
mod forward;
mod measure;
mod report;
mod stage;

use measure::{Sample, WORKLOADS};
use stage::Stage;

/// Of one workload: for each target, a sample a round.
struct Outcome {
    workload: &'static measure::Workload,
    /// In the order of [`Stage::targets`].
    samples: Vec<Vec<Sample>>,
}

fn main() {
    let mut rounds = 7;
    let mut write = false;
    let mut wanted = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "forward" => {
                let mut port = || args.next().and_then(|p| p.parse().ok()).expect("a port");
                return forward::run(port(), port());
            }
            "--rounds" => rounds = args.next().and_then(|n| n.parse().ok()).expect("--rounds N"),
            "--write" => write = true,
            // What cargo adds.
            "--bench" => {}
            name => wanted.push(name.to_owned()),
        }
    }
    let stage = Stage::set();
    let chosen = WORKLOADS
        .iter()
        .filter(|w| wanted.is_empty() || wanted.iter().any(|prefix| w.name.starts_with(prefix.as_str())));
    let mut outcomes = Vec::new();
    for workload in chosen {
        let mut samples = vec![Vec::new(); stage.targets.len()];
        for round in 0..workload.rounds(rounds) {
            for turn in 0..stage.targets.len() {
                let n = (round + turn) % stage.targets.len();
                samples[n].push(measure::run(workload, &stage.targets[n]));
            }
        }
        let outcome = Outcome { workload, samples };
        println!("{}", report::table(&outcome, &stage));
        outcomes.push(outcome);
    }
    if write {
        report::write(&outcomes, &stage);
    }
}
