//! What stands around the program: the files that start it say what it understands and keep it shut in, what it is
//! made of is allowed, and commands in the README are commands.
//!
//! No container engine and no cluster is needed: the files are read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a program says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn help(command: &[&str]) -> String {
    said(env!("CARGO_BIN_EXE_pgpurpose"), &[command, &["--help"]].concat())
}

/// Each YAML document of a file.
fn documents(path: &str) -> Vec<Value> {
    let text = text(path);
    let parts = text.split("\n---\n").map(serde_yaml::from_str);
    parts
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words of this form in a text.
fn words(text: &str, start: &str) -> BTreeSet<String> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let found = text
        .match_indices(start)
        .map(|(at, _)| text[at..].chars().take_while(|&c| of_word(c)).collect());
    found.collect()
}

#[test]
fn files_set_what_the_program_understands() {
    let known = words(&help(&["serve"]), "PGPURPOSE_");
    for path in [
        "docker/Dockerfile",
        "docker/compose.yaml",
        "docker/kubernetes/service.yaml",
        "docker/kubernetes/sidecar.yaml",
        "docker/systemd/pgpurpose@.service",
    ] {
        let used = words(&text(path), "PGPURPOSE_");
        let unknown: Vec<_> = used
            .iter()
            .filter(|name| *name != "PGPURPOSE_" && !known.contains(*name))
            .collect();
        assert!(unknown.is_empty() && used.len() > 2, "{path}: {unknown:?}");
    }
}

#[test]
fn containers_are_shut_in() {
    for (path, kind) in [
        ("docker/kubernetes/service.yaml", "containers"),
        ("docker/kubernetes/sidecar.yaml", "initContainers"),
    ] {
        let documents = documents(path);
        let pod = documents
            .iter()
            .find_map(|d| d.pointer("/spec/template/spec"))
            .expect("a pod");
        let ours = pod[kind]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["name"] == "pgpurpose")
            .expect("the proxy");
        let (of_pod, of_container) = (&pod["securityContext"], &ours["securityContext"]);
        let set = |key: &str| {
            of_container
                .get(key)
                .or_else(|| of_pod.get(key))
                .cloned()
                .unwrap_or_default()
        };
        assert_eq!(set("runAsNonRoot"), true, "{path}");
        assert_eq!(set("readOnlyRootFilesystem"), true, "{path}");
        assert_eq!(set("allowPrivilegeEscalation"), false, "{path}");
        assert_eq!(set("capabilities"), serde_json::json!({"drop": ["ALL"]}), "{path}");
        assert!(of_pod["fsGroup"].is_number(), "{path}: the audit can be written");
        assert!(
            pod["terminationGracePeriodSeconds"].as_u64() > Some(30),
            "{path}: longer than the drain time-out"
        );
        // What is mounted is there, by this name.
        let claims = documents
            .iter()
            .filter_map(|d| d.pointer("/spec/volumeClaimTemplates")?.as_array());
        let claimed = claims.flatten().map(|claim| claim["metadata"]["name"].clone());
        let volumes = pod["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|volume| volume["name"].clone());
        let there: Vec<Value> = claimed.chain(volumes).collect();
        for mount in ours["volumeMounts"].as_array().unwrap() {
            assert!(there.contains(&mount["name"]), "{path}: {mount}");
        }
    }
    let database_behind = documents("docker/kubernetes/service.yaml");
    let policy = database_behind
        .iter()
        .find(|d| d["kind"] == "NetworkPolicy")
        .expect("past it nobody comes");
    let from = policy.pointer("/spec/ingress/0/from/0/podSelector/matchLabels/app");
    assert_eq!(from, Some(&"pgpurpose".into()));

    let compose = &documents("docker/compose.yaml")[0];
    let ours = &compose["services"]["pgpurpose"];
    assert_eq!(
        (&ours["read_only"], &ours["cap_drop"]),
        (&true.into(), &serde_json::json!(["ALL"]))
    );
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    assert_eq!(
        compose["services"]["database"]["networks"],
        serde_json::json!(["inside"])
    );
    for service in compose["services"].as_object().unwrap().values() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(
                !from.starts_with('.') || root().join("docker").join(from).exists(),
                "{from}"
            );
        }
    }
}

#[test]
fn the_image_and_the_unit_hold_together() {
    let image = text("docker/Dockerfile");
    assert!(image.contains("\nUSER nonroot\n") && !image.contains(":latest"));
    for line in image
        .lines()
        .filter(|line| line.starts_with("COPY ") && !line.contains("--from"))
    {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{source}");
        }
    }
    let unit = text("docker/systemd/pgpurpose@.service");
    for line in [
        "Type=notify",
        "User=pgpurpose",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "LimitCORE=0",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line}");
    }
    let flags = help(&["serve"]);
    let start = unit.lines().find(|l| l.starts_with("ExecStart=")).unwrap();
    assert!(words(start, "--").iter().all(|flag| flags.contains(flag)), "{start}");
}

#[test]
fn commands_of_the_readme_are_commands() {
    let readme = text("README.md").replace("\\\n", " ");
    let mut checked = 0;
    for block in readme
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
    {
        for line in block.lines().filter_map(|l| l.split(" #").next()) {
            let Some((_, command)) = line.split_once("pgpurpose ") else {
                continue;
            };
            let all: Vec<&str> = command.split_whitespace().collect();
            let names = if all[0] == "audit" { &all[..2] } else { &all[..1] };
            if names[0].starts_with('-') {
                continue;
            }
            let known = words(&help(names), "--");
            let given = all
                .iter()
                .filter(|word| word.starts_with("--"))
                .map(|word| word.split('=').next().unwrap());
            for flag in given {
                assert!(known.contains(flag), "{line}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn each_code_is_in_the_readme_with_what_to_do_and_no_other() {
    let readme = text("README.md");
    let section = readme
        .split("## What each code means")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<String> = rows
        .flat_map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            assert!(cells.len() == 3 && cells.iter().all(|cell| cell.len() > 3), "{row}");
            let codes = cells[0].split('`').skip(1).step_by(2).map(str::to_owned);
            codes.collect::<Vec<_>>()
        })
        .collect();
    let known: BTreeSet<String> = pgpurpose::policy::Code::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(told, known);
}

/// Flags in running text, tables and comments, of whichever command.
#[test]
fn flags_of_the_readme_are_flags() {
    let commands = "serve check matrix explain test diff classify replay catalog schema completions man";
    let mut known: BTreeSet<String> = commands
        .split(' ')
        .flat_map(|command| words(&help(&[command]), "--"))
        .collect();
    for command in ["query", "verify", "report", "subject", "key"] {
        known.extend(words(&help(&["audit", command]), "--"));
    }
    // Of ./demo and of cargo.
    known.extend(["--once", "--release", "--test"].map(str::to_owned));
    let text = text("README.md");
    let spans = text.split('`').skip(1).step_by(2);
    let unknown: Vec<String> = spans
        .flat_map(|span| words(span, "--"))
        .filter(|flag| flag.len() > 3 && !known.contains(flag))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// What `deny.toml` allows; `cargo deny check`, where it is installed, looks for known vulnerabilities as well.
#[test]
fn what_it_is_made_of_is_allowed() {
    let deny = text("deny.toml");
    let list = deny.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    let host = said("rustc", &["-vV"]);
    let host = host.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--filter-platform",
        host,
    ];
    let metadata: Value = serde_json::from_str(&said(env!("CARGO"), &arguments)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or("none"));
        // All of the parts that AND joins; of those that OR joins, one.
        let part = |part: &str| {
            let either = part
                .trim_matches(['(', ')', ' '])
                .replace(" / ", "/")
                .replace('/', " OR ");
            either
                .split(" OR ")
                .any(|one| allowed.contains(one.trim_matches(['(', ')', ' '])))
        };
        assert!(licence.split(" AND ").all(part), "{name}: {licence}");
        let source = package["source"].as_str().unwrap_or_default();
        assert!(source.is_empty() || source.starts_with("registry+"), "{name}: {source}");
    }
    let list: Value = serde_json::from_str(&said("python3", &["docker/sbom.py"])).unwrap();
    let components = list["components"].as_array().unwrap();
    assert!(
        components.len() > 100 && components.len() < packages.len(),
        "{}",
        components.len()
    );
    assert!(
        components.iter().all(|c| c["hashes"][0]["content"].is_string()),
        "each is held to its checksum"
    );
}
