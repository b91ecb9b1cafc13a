//! Random statements for as long as one likes: `cargo bench --bench proof -- --count 100000 --seed 7`.
//!
//! Prints what was tried, refused and why, errors by SQLSTATE, and each failing statement as a case for `cases.txt`.
//! Exit code 1 if there was one. `--from N --count 1 --show` prints a statement instead of running it,
//! `--seconds N` ends sooner, `--lanes N` uses more connections; `--serve` only starts the databases and the proxy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

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

use std::process::ExitCode;
use std::time::Instant;

use run::Plan;
use world::World;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default: u64| option(name).map_or(default, |v| v.parse().expect("a number"));
    let from = number("--from", 0);
    let plan = Plan {
        seed: number("--seed", 1),
        numbers: from..from + number("--count", 1000),
        lanes: number("--lanes", 2),
        role: option("--role"),
        shrink: usize::try_from(number("--shrink", 40)).unwrap(),
        progress: true,
        seconds: option("--seconds").map(|v| v.parse().expect("a number")),
    };
    let world = World::start(u32::try_from(number("--timeout-ms", 2000)).unwrap());
    if arguments.iter().any(|a| a == "--show") {
        for number in plan.numbers.clone() {
            let (role, statement) = run::statement(&world, &plan, number);
            println!("{}\n", run::sent(&role, &statement, &statement.tree));
        }
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|a| a == "--serve") {
        println!(
            "PostgreSQL on port {}, the proxy on {}; until the input ends",
            world.cluster.port(),
            world.port
        );
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let again = run::replay(&world, cases::parse(include_str!("cases.txt")));
    for failure in &again {
        eprintln!("{failure}");
    }
    let figures = run::run(&world, &plan);
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", figures.report());
    println!(
        "seed {}, {seconds:.0} s, {:.0} statements/s",
        plan.seed,
        figures.tried as f64 / seconds
    );
    match again.is_empty() && figures.is_fine() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
