//! Golden tests of `check` and `matrix`: for each rules file or folder in `tests/rules`, what the
//! program prints and its exit code stand beside it, in NAME.txt.
//!
//! `UPDATE_GOLDEN=1 cargo test --test rules` writes them anew, to be read before they are kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgpurpose"));
    command.current_dir(folder).env_clear().args(arguments);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

fn shown(folder: &Path, rules: &str) -> String {
    let (code, text) = run(folder, &["check", rules]);
    let code = code.unwrap();
    let mut shown = format!("$ check {rules}\n{text}exit code {code}\n");
    if !text.contains("error") {
        let (code, text) = run(folder, &["matrix", rules]);
        assert_eq!(code, Some(0), "{text}");
        shown += &format!("\n$ matrix {rules}\n{text}");
    }
    shown
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries
        .filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    cases.sort();
    cases
}

#[test]
fn each_file_gets_the_findings_that_stand_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty());
    let mut differing = Vec::new();
    let cases = cases(&folder);
    assert!(cases.len() > 10, "the cases are gone");
    for case in cases {
        let shown = shown(&folder, case.file_name().unwrap().to_str().unwrap());
        let golden = case.with_extension("txt");
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if update {
            std::fs::write(golden, shown).unwrap();
        } else if shown != expected {
            differing.push(format!(
                "{}\n--- expected\n{expected}\n--- shown\n{shown}",
                case.display()
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

#[test]
fn json_names_the_place_in_characters() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let (code, text) = run(&folder, &["check", "emoji.yaml", "--format", "json"]);
    assert_eq!(code, Some(1));
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    let first = &shown["findings"][0];
    assert_eq!(first["code"], "unknown_purpose");
    assert_eq!(first["file"], "emoji.yaml");
    assert_eq!((&first["line"], &first["column"]), (&4.into(), &28.into()), "{text}");
    assert_eq!(first["text"], "cäre");
    assert_eq!(first["help"], "did you mean `care`?");
}

#[test]
fn exit_codes_tell_usage_from_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let code = |arguments: &[&str]| run(&folder, arguments).0;
    assert_eq!(code(&["check", "nowhere.yaml"]), Some(2));
    assert_eq!(code(&["check"]), Some(2));
    assert_eq!(code(&["chekc", "canary.yaml"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["matrix", "canary.yaml", "--role", "nobody"]), Some(2));
    assert_eq!(code(&["matrix", "canary.yaml", "--role", "app"]), Some(0));
    assert_eq!(code(&["matrix", "names.yaml"]), Some(1));
}
