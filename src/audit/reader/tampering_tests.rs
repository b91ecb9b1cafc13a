//! Every way to tamper, tried at every record of every kind, over rotated and compressed files.

use super::super::chain;
use super::super::checkpoint::Signer;
use super::super::event::tests::{other_events, statement_event};
use super::super::files;
use super::super::storage::tests::Folder;
use super::super::{Event, Journal, JournalConfig, SqlState};
use super::*;

/// A journal as files: their names and lines.
type Files = Vec<(String, Vec<String>)>;

fn signer() -> Signer {
    Signer::from_seed(&[7; 32])
}

/// Each kind of record at least once, in some files; the last is still being written, the others are
/// compressed.
fn journal() -> Files {
    let folder = Folder::new();
    let mut config = JournalConfig::new(folder.file());
    config.signer = Some(signer());
    config.rotate_bytes = 1_500;
    let journal = Journal::open(config).expect("opens");
    let settle = |ticket| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(journal.written(ticket)).expect("written");
    };
    let (_, statement) = journal.refuse(&statement_event()).expect("available");
    settle(statement);
    settle(journal.note(Event::Completed {
        of: statement.id(),
        rows: 1,
        bytes: 1,
        duration_us: 1,
        sqlstate: Some(SqlState::new("22012")),
        groups_left_out: None,
    }));
    for (event, _) in other_events() {
        settle(journal.note(event));
    }
    journal.close();
    let paths = with_rotated(&[folder.file()]).expect("folder");
    let paths = in_order(&paths).expect("files");
    let read = |path: &PathBuf| {
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect("UTF-8");
        (name, text.lines().map(str::to_owned).collect())
    };
    let files: Files = paths.iter().map(read).collect();
    assert!(files.len() > 3, "{}", files.len());
    files
}

fn write(files: &Files) -> (Folder, Vec<PathBuf>) {
    let folder = Folder::new();
    let current = folder.file();
    for (name, lines) in files {
        let path = folder.0.join(name);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).expect("file");
        if path != current {
            super::super::compress::compress(&path).expect("compressed");
        }
    }
    let paths = with_rotated(&[current]).expect("folder");
    (folder, paths.into_iter().filter(|path| path.exists()).collect())
}

/// What verification says: kinds of faults, and whether all holds.
fn verified(files: &Files, expected: &Expected) -> (Vec<Fault>, bool) {
    let (_folder, paths) = write(files);
    let mut faults = Vec::new();
    let summary = verify_against(&paths, expected, |finding| faults.push(finding.fault)).expect("readable");
    (faults, summary.holds())
}

/// Seals all records from `from` on anew, as somebody does who knows the format and not the key.
fn reseal(files: &mut Files, from: u64) {
    let mut head = Head::GENESIS;
    for line in files.iter_mut().flat_map(|(_, lines)| lines) {
        let seq = Link::seq_of(line.as_bytes()).expect("a record");
        if seq >= from {
            let body = line
                .split_once(",\"time\"")
                .expect("time")
                .1
                .rsplit_once(",\"prev\"")
                .expect("prev");
            let mut sealed = Vec::new();
            chain::seal(&mut sealed, head, format!(",\"time\"{}", body.0).as_bytes());
            *line = String::from_utf8(sealed).expect("UTF-8").trim_end().to_owned();
        }
        let link = Link::read(line.as_bytes()).expect("a record");
        head = Head { seq, hash: link.hash };
    }
}

/// Exchanges something in the record itself.
fn change(line: &str) -> String {
    let changed = line.replacen("\"time\":\"20", "\"time\":\"19", 1);
    assert_ne!(changed, line);
    changed
}

#[test]
fn each_kind_of_tampering_is_found_at_each_kind_of_record() {
    let whole = journal();
    assert_eq!(verified(&whole, &Expected::default()), (vec![], true), "untouched");
    let mut kinds = std::collections::BTreeSet::new();
    let last_file = whole.len() - 1;
    for (file, (_, lines)) in whole.iter().enumerate() {
        for at in 0..lines.len() {
            let kind: serde_json::Value = serde_json::from_str(&lines[at]).expect("JSON");
            kinds.insert(kind["event"].as_str().expect("event").to_owned());
            let is_last = file == last_file && at + 1 == lines.len();
            let seq = Link::seq_of(lines[at].as_bytes()).expect("a record");
            let tamper = |what: &str, expected: &dyn Fn(&Fault) -> bool, change: &dyn Fn(&mut Vec<String>)| {
                let mut files = whole.clone();
                change(&mut files[file].1);
                if files[file].1.is_empty() {
                    files.remove(file);
                }
                let (faults, holds) = verified(&files, &Expected::default());
                let place = format!("{what} record {seq}, {kind}: {faults:?}");
                assert!(!holds && faults.iter().any(expected), "{place}");
            };
            tamper("change", &|f| *f == Fault::Changed { seq }, &|lines| {
                lines[at] = change(&lines[at]);
            });
            tamper(
                "change the number of",
                &|f| matches!(f, Fault::Changed { .. }),
                &|lines| {
                    lines[at] = lines[at].replacen(&format!("\"seq\":{seq},"), &format!("\"seq\":{},", seq + 1000), 1);
                },
            );
            tamper("insert behind", &|f| *f == Fault::NotARecord, &|lines| {
                lines.insert(at + 1, "{\"seq\":1}".to_owned());
            });
            tamper("repeat", &|f| *f == Fault::OutOfOrder { seq, after: seq }, &|lines| {
                lines.insert(at, lines[at].clone());
            });
            if !is_last {
                // The end of a file's chain shows no loss by itself: see the next test.
                tamper(
                    "remove",
                    &|f| matches!(f, Fault::Missing { .. } | Fault::FalseStart { .. }),
                    &|lines| {
                        lines.remove(at);
                    },
                );
            }
            if at + 1 < lines.len() {
                tamper("reorder", &|f| matches!(f, Fault::OutOfOrder { .. }), &|lines| {
                    lines.swap(at, at + 1)
                });
            }
        }
    }
    let all = [
        "break_glass",
        "checkpoint",
        "completed",
        "login",
        "logout",
        "policy_changed",
        "recovered",
        "reload",
        "sink_dropped",
        "start",
        "statement",
        "stop",
        "stopped",
    ];
    assert!(all.iter().all(|kind| kinds.contains(*kind)), "{kinds:?}");
}

#[test]
fn a_key_shows_a_rewritten_chain_and_checkpoints_kept_elsewhere_a_cut_tail() {
    let whole = journal();
    let lines: Vec<String> = whole.iter().flat_map(|(_, lines)| lines.clone()).collect();
    let checkpoints: Vec<Checkpoint> = lines
        .iter()
        .filter_map(|line| Checkpoint::read(line.as_bytes()))
        .collect();
    assert!(checkpoints.len() > 2 && checkpoints.iter().all(|c| c.is_signed(Some(&signer().public()))));
    let last = checkpoints.last().expect("some").head;
    let keyed = Expected {
        heads: Vec::new(),
        key: Some(signer().public()),
    };
    let elsewhere = Expected {
        heads: checkpoints.iter().map(|checkpoint| checkpoint.head).collect(),
        ..keyed.clone()
    };
    assert_eq!(verified(&whole, &elsewhere), (vec![], true), "untouched");
    for seq in 1..=last.seq {
        // Rewritten from a record on: the chain holds, the next checkpoint does not.
        let mut files = whole.clone();
        let record = files
            .iter_mut()
            .flat_map(|(_, lines)| lines)
            .find(|line| Link::seq_of(line.as_bytes()) == Some(seq))
            .expect("there");
        *record = change(record);
        reseal(&mut files, seq);
        let (faults, holds) = verified(&files, &keyed);
        assert!(
            !holds && matches!(faults[0], Fault::Forged { seq: at } if at >= seq),
            "{seq}: {faults:?}"
        );

        // Cut off from a record on: nothing shows it but what was kept elsewhere.
        let mut files = whole.clone();
        for (_, lines) in &mut files {
            lines.retain(|line| Link::seq_of(line.as_bytes()).is_some_and(|number| number < seq));
        }
        files.retain(|(_, lines)| !lines.is_empty());
        if files.is_empty() {
            continue;
        }
        assert_eq!(verified(&files, &elsewhere), (vec![], false), "cut off from {seq}");
    }
    let strangers = Expected {
        heads: Vec::new(),
        key: Some(Signer::from_seed(&[8; 32]).public()),
    };
    assert!(!verified(&whole, &strangers).1, "another's key");
}

#[test]
fn without_a_signature_of_the_given_key_nothing_holds() {
    let folder = Folder::new();
    let journal = Journal::open(JournalConfig::new(folder.file())).expect("opens");
    journal.note(Event::Start { version: "1" });
    journal.close();
    let keyed = Expected {
        heads: Vec::new(),
        key: Some(signer().public()),
    };
    let summary = verify_against(&[folder.file()], &keyed, |finding| panic!("{finding:?}")).expect("readable");
    assert!(!summary.holds(), "not signed");
}

#[test]
fn a_compressed_file_that_is_damaged_is_found() {
    let whole = journal();
    let (_folder, paths) = write(&whole);
    let first = in_order(&paths).expect("files").remove(0);
    let bytes = std::fs::read(&first).expect("file");
    for at in [bytes.len() / 4, bytes.len() / 2, bytes.len() - 6] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        for damaged in [damaged, bytes[..at].to_vec()] {
            std::fs::write(&first, damaged).expect("file");
            let summary = verify(&paths, &[], |_| ()).expect("readable");
            assert!(!summary.holds(), "at {at}");
        }
    }
    assert!(files::rotated(&first).expect("folder").is_empty());
}
