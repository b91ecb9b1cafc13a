//! Golden tests of `check` and `matrix`: for each rules file or folder in `tests/rules`, what the
//! program prints and its exit code stand beside it, in NAME.txt.
//!
//! `UPDATE_GOLDEN=1 cargo test --test rules` writes them anew, to be read before they are kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

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
    if code != 2 && !text.contains("error") {
        let (code, text) = run(folder, &["matrix", rules]);
        assert_eq!(code, Some(0), "{text}");
        shown += &format!("\n$ matrix {rules}\n{text}");
    }
    shown
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries
        .filter(|path| (path.is_dir() && !path.ends_with("diff")) || path.extension().is_some_and(|e| e == "yaml"))
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
fn diff_says_by_its_exit_code_whether_somebody_sees_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/diff");
    let diff = |old: &str, new: &str| run(&folder, &["diff", old, new]);
    let (code, text) = diff("old.yaml", "old.yaml");
    assert_eq!((code, text.as_str()), (Some(0), "nothing changes for anybody\n"));
    let golden = std::fs::read_to_string(folder.join("more.txt")).unwrap();
    let (code, text) = diff("old.yaml", "new.yaml");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty()) {
        std::fs::write(folder.join("more.txt"), &text).unwrap();
    } else {
        assert_eq!(text, golden);
    }
    assert_eq!(code, Some(1));
    let (code, text) = diff("new.yaml", "less.yaml");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nobody sees more than before"), "{text}");
    assert_eq!(diff("old.yaml", "nowhere.yaml").0, Some(2));
    assert_eq!(diff("old.yaml", "../names.yaml").0, Some(2));
    let (_, json) = run(&folder, &["diff", "old.yaml", "new.yaml", "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(shown["sees_more"], true);
}

#[test]
fn findings_can_be_explained_and_be_had_for_code_scanning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let (code, text) = run(&folder, &["check", "--explain", "ambiguous"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("error[ambiguous]: Two release entries"), "{text}");
    assert_eq!(run(&folder, &["check", "--explain", "ambigous"]).0, Some(2));
    let (_, github) = run(&folder, &["check", "emoji.yaml", "--format", "github"]);
    let first = github.lines().next().unwrap();
    assert_eq!(
        first,
        "::error file=emoji.yaml,line=4,col=28,title=unknown_purpose::purpose `cäre` is not declared%0Ahelp: did you mean `care`?"
    );
    let (_, sarif) = run(&folder, &["check", "emoji.yaml", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
    assert_eq!((&sarif["version"], &rule["id"]), (&"2.1.0".into(), &result["ruleId"]));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        region,
        &serde_json::json!({"startLine": 4, "startColumn": 28, "endColumn": 32})
    );
}

#[test]
fn the_matrix_is_a_page_that_needs_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (code, page) = run(folder, &["matrix", "rules", "--all-roles", "--format", "html"]);
    assert_eq!(code, Some(0));
    for outside in ["http:", "https:", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("<td class=\"masked\" title=\"customer-care.yaml:") && page.contains("Role <b>quality</b>"));
    let (_, narrow) = run(
        folder,
        &[
            "matrix",
            "rules",
            "--table",
            "care.customers",
            "--width",
            "60",
            "--color",
            "always",
        ],
    );
    assert!(narrow.contains("\u{1b}[36memail\u{1b}[0m"), "{narrow}");
    let (code, said) = run(folder, &["matrix", "rules", "--purpose", "care.qualty"]);
    assert!(
        code == Some(2) && said.contains("did you mean \"care.quality\"?"),
        "{said}"
    );
}

#[test]
fn the_first_rules_file_of_the_readme_is_clean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let block = readme
        .split("```yaml\n")
        .find(|block| block.starts_with("# rules/shop.yaml"))
        .unwrap();
    let file = std::env::temp_dir().join(format!("pgpurpose-readme-{}.yaml", std::process::id()));
    std::fs::write(&file, block.split("```").next().unwrap()).unwrap();
    let (code, text) = run(folder, &["check", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn the_schema_beside_the_rules_is_the_programs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let (code, schema) = run(&folder, &["schema"]);
    assert_eq!(code, Some(0));
    let file = folder.join("rules.schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty()) {
        std::fs::write(&file, &schema).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        schema,
        "write it anew: UPDATE_GOLDEN=1"
    );
    for of in ["tests", "config"] {
        let (code, text) = run(&folder, &["schema", of]);
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, schema["$schema"].is_string()), (Some(0), true), "{of}");
    }
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

/// The presets that are shipped, under rules that build on them.
#[test]
fn presets_are_there_to_build_on() {
    let presets = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/presets");
    let mut files = vec![(
        "mine.yaml".to_owned(),
        "version: 1
include: [presets/fideslang-data-categories.yaml, presets/fideslang-purposes.yaml]
roles: {app: {purposes: [essential.service]}}
tables:
  s.people:
    data_subject: {key: id}
    collected_for: [essential.service]
    columns: {id: user.unique_id, genes: user.health_and_medical.genetic, mail: user.contact.email}
release: [{purposes: [essential], data_categories: [user.contact], as: {mask: {}}}]
"
        .to_owned(),
    )];
    for name in ["fideslang-data-categories.yaml", "fideslang-purposes.yaml"] {
        let text = std::fs::read_to_string(presets.join(name)).unwrap();
        assert!(text.contains("CC BY 4.0"), "{name} names no licence");
        files.push((format!("presets/{name}"), text));
    }
    let set = pgpurpose::rules::load(&files).unwrap_or_else(|findings| panic!("{findings}"));
    let policy = set.for_database("any").unwrap();
    assert_eq!((policy.categories.len(), policy.purposes.len()), (85, 55));
    let sensitivity = |key: &str| policy.category(key).unwrap().sensitivity;
    assert_eq!(
        sensitivity("user.health_and_medical.genetic"),
        pgpurpose::policy::Sensitivity::Sensitive
    );
    assert_eq!(
        sensitivity("user.contact.email"),
        pgpurpose::policy::Sensitivity::Personal
    );
    assert_eq!(sensitivity("system.operations"), pgpurpose::policy::Sensitivity::None);
}
