//! Invariant 1 as the compiler sees it: each file in `tests/compile_fail` tries to get round the gate
//! or the journal, and must be refused with the error that its `//~` line names, and no other.
//!
//! The files are compiled against the library that this test was built with, so that nothing is
//! built a second time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the libraries that this test was linked from.
fn deps() -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    own.parent().expect("folder").to_owned()
}

/// The newest build of the library: the one that this test was built with.
fn library(deps: &Path) -> PathBuf {
    let entries = std::fs::read_dir(deps)
        .expect("folder")
        .map(|entry| entry.expect("entry").path());
    let builds = entries.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("libpgpurpose-") && name.ends_with(".rlib")
    });
    builds
        .max_by_key(|path| path.metadata().and_then(|data| data.modified()).expect("time"))
        .expect("the library is built")
}

/// The codes of the errors that a file gives, each once: how many messages one mistake takes is the
/// compiler's choice.
fn errors(file: &Path, deps: &Path, library: &Path) -> Vec<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args([
            "--edition=2024",
            "--crate-type=bin",
            "--emit=metadata",
            "--error-format=json",
            "-o",
        ])
        .arg(std::env::temp_dir().join(format!("pgpurpose-compile-fail-{}", std::process::id())))
        .arg("-L")
        .arg(format!("dependency={}", deps.display()))
        .arg("--extern")
        .arg(format!("pgpurpose={}", library.display()))
        .arg(file)
        .output()
        .expect("rustc runs");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut codes: Vec<String> = messages
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("rustc speaks JSON"))
        .filter(|message| message["level"] == "error")
        .filter_map(|message| message["code"]["code"].as_str().map(str::to_owned))
        .collect();
    codes.sort();
    codes.dedup();
    assert_eq!(
        output.status.success(),
        codes.is_empty(),
        "{}: {messages}",
        file.display()
    );
    codes
}

/// What a file's `//~` lines expect.
fn expected(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut codes: Vec<String> = text
        .lines()
        .filter_map(|line| Some(line.split_once("//~ ")?.1.trim().to_owned()))
        .collect();
    codes.sort();
    codes.dedup();
    codes
}

#[test]
fn the_proofs_cannot_be_made_or_doubled_from_outside() {
    let deps = deps();
    let library = library(&deps);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("folder") {
        let file = entry.expect("entry").path();
        assert_eq!(errors(&file, &deps, &library), expected(&file), "{}", file.display());
        seen += 1;
    }
    assert!(seen >= 7, "{seen}");
}
