//! The fuzz targets without a fuzzer: each on its seeds, whole, and on some thousand changed ones.
//!
//! `PGPURPOSE_FUZZ=N cargo test --test fuzz` makes N changed inputs of each target; for days use cargo-fuzz.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails loudly

mod bodies;
#[path = "../proof/random.rs"]
#[allow(dead_code)] // the grammar uses more of it
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use random::Random;

/// Changed inputs of each target.
const CHANGED: u64 = 2000;

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(target);
    let files = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path());
    let mut seeds: Vec<(PathBuf, Vec<u8>)> = files.map(|f| (f.clone(), std::fs::read(f).unwrap())).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

/// One input out of the seeds: bytes changed, pieces moved, left out, doubled, taken from another.
fn change(random: &mut Random, seeds: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut input = random.of_slice(seeds).1.clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(16)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.below(256) as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            4 => {
                let words: [&[u8]; 12] = [
                    b"'",
                    b"\"",
                    b"$$",
                    b"/*",
                    b"*/",
                    b"--",
                    b";",
                    b"\n",
                    b"(",
                    b")",
                    b"\xc3\xa9",
                    b"\\",
                ];
                input.splice(at..at, random.of_slice(&words).to_vec());
            }
            _ => {
                let other = &random.of_slice(seeds).1;
                let from = random.below(other.len() + 1);
                let to = (from + random.below(40)).min(other.len());
                input.splice(at..end, other[from..to].to_vec());
            }
        }
    }
    input
}

fn run() {
    let count = std::env::var("PGPURPOSE_FUZZ").map_or(CHANGED, |n| n.parse().unwrap());
    let mut failures = Vec::new();
    for (number, (name, body)) in (0..).zip(bodies::TARGETS) {
        let seeds = seeds(name);
        let mut try_one = |input: &[u8], from: String| {
            if catch_unwind(AssertUnwindSafe(|| body(input))).is_err() {
                failures.push(format!("{name}, {from}: {:?}", String::from_utf8_lossy(input)));
            }
        };
        for (file, seed) in &seeds {
            try_one(seed, file.display().to_string());
        }
        for i in 0..count {
            let mut random = Random::of(number, i);
            let input = change(&mut random, &seeds);
            try_one(&input, format!("change {i}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// On a stack as large as the server's.
#[test]
fn targets_hold_on_their_seeds() {
    let thread = std::thread::Builder::new()
        .stack_size(pgpurpose::sql::nesting::STACK)
        .spawn(run)
        .unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
