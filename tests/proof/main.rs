//! Random statements of all kinds through the proxy: nothing that is not released shows (non-interference), and what
//! comes back is what PostgreSQL gives over the released relations (equivalence).
//!
//! Here a small fixed number of them, and all that ever failed; `cargo bench --bench proof -- --count 100000` goes on
//! for as long as one likes, with other statements.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails loudly

mod cases;
mod check;
#[path = "../common/mod.rs"]
mod common;
mod grammar;
mod random;
mod run;
mod tree;
mod types;
mod wire;
mod world;

use run::Plan;
use world::World;

/// Some half a minute.
const STATEMENTS: u64 = 1500;

#[test]
fn nothing_shows_and_all_is_as_released() {
    let world = World::start(2000);
    let mut failures = run::replay(&world, cases::parse(include_str!("cases.txt")));
    let plan = Plan {
        seed: 20_261_124,
        numbers: 0..STATEMENTS,
        lanes: 2,
        role: None,
        shrink: 5,
        progress: false,
        seconds: None,
    };
    let figures = run::run(&world, &plan);
    println!("{}", figures.report());
    failures.extend(figures.failures.iter().cloned());
    let told: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} wrong\n{}", failures.len(), told.join("\n"));
    assert!(figures.is_fine(), "too few statements gave rows\n{}", figures.report());
}
