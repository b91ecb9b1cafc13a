//! `check --against` a live database, and the same from a snapshot: for each rules file of this
//! folder, what is found stands beside it, in NAME.txt.
//!
//! `UPDATE_GOLDEN=1 cargo test --test check` writes them anew, to be read before they are kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::Cluster;

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgpurpose"));
    command.current_dir(folder).env_clear().args(arguments);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn rules_are_held_against_a_database() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", "CREATE DATABASE shop");
    let schema = std::fs::read_to_string(folder.join("schema.sql")).unwrap();
    cluster.psql("shop", "postgres", &schema);
    let url = format!("postgres://postgres@127.0.0.1:{}/shop", cluster.port());
    let snapshot = std::env::temp_dir().join(format!("pgpurpose-check-{}.json", std::process::id()));
    let snapshot = snapshot.to_str().unwrap();
    let (code, text) = run(&folder, &["catalog", "--against", &url, "--output", snapshot]);
    assert_eq!(code, 0, "{text}");

    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty());
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    assert!(cases.len() >= 5, "the cases are gone");
    let mut differing = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let (code, text) = run(&folder, &["check", name, "--against", &url]);
        let shown = format!("$ check {name} --against shop\n{text}exit code {code}\n");
        assert_eq!(
            run(&folder, &["check", name, "--catalog", snapshot]),
            (code, text),
            "{name}"
        );
        let golden = case.with_extension("txt");
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if update {
            std::fs::write(golden, shown).unwrap();
        } else if shown != expected {
            differing.push(format!("{name}\n--- expected\n{expected}\n--- shown\n{shown}"));
        }
    }
    std::fs::remove_file(snapshot).unwrap();
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}
