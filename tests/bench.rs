//! Golden tests of the commands that need no server: each file of `tests/bench` is a transcript, `$` lines
//! with the arguments and below them what the program says and its exit code.
//!
//! `UPDATE_GOLDEN=1 cargo test --test bench` writes them anew, to be read before they are kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

/// Words of a line; those in double quotes may hold blanks.
fn words(line: &str) -> Vec<String> {
    let pieces = line.split('"').enumerate();
    pieces
        .flat_map(|(i, piece)| match i % 2 {
            0 => piece.split_whitespace().map(str::to_owned).collect(),
            _ => vec![piece.to_owned()],
        })
        .collect()
}

fn run(folder: &Path, line: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgpurpose"));
    let output = command
        .current_dir(folder)
        .env_clear()
        .args(words(line))
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    format!("$ {line}\n{text}exit code {}\n", output.status.code().unwrap())
}

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty());
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    assert!(files.len() > 1, "the transcripts are gone");
    let mut differing = Vec::new();
    for file in files {
        let expected = std::fs::read_to_string(&file).unwrap();
        let lines = expected.lines().filter_map(|line| line.strip_prefix("$ "));
        let shown: Vec<String> = lines.map(|line| run(&folder, line)).collect();
        let shown = shown.join("\n");
        if update {
            std::fs::write(&file, shown).unwrap();
        } else if shown != expected {
            differing.push(format!(
                "{}\n--- expected\n{expected}\n--- shown\n{shown}",
                file.display()
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}
