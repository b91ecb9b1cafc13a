//! The journal on real files: torn ends, rotation, files that others touch.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::audit::event::tests::statement_event;
use crate::audit::reader::{self, Known};
use crate::audit::{Event, Journal, JournalConfig};

/// A folder of its own, gone at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("pgpurpose-audit-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).expect("folder");
        Self(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).expect("folder");
        let all = entries.map(|entry| entry.expect("entry").path());
        all.filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .collect()
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for path in reader::in_order(&self.journals()).expect("files") {
            for line in std::fs::read_to_string(path).expect("UTF-8").lines() {
                let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
                names.push(value["event"].as_str().expect("event").to_owned());
            }
        }
        names
    }

    fn verify(&self) -> reader::Summary {
        let mut faults = Vec::new();
        let summary = reader::verify(&self.journals(), &[], |finding| faults.push(finding)).expect("readable");
        assert_eq!(faults, []);
        summary
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn journal(folder: &Folder, rotate_bytes: u64) -> Journal {
    try_journal(folder, rotate_bytes).expect("opens")
}

fn try_journal(folder: &Folder, rotate_bytes: u64) -> io::Result<Journal> {
    let mut config = JournalConfig::new(folder.file());
    config.rotate_bytes = rotate_bytes;
    config.retry = std::time::Duration::from_millis(1);
    Journal::open(config)
}

pub(crate) fn record(journal: &Journal, how_many: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    for _ in 0..how_many {
        let (_, ticket) = journal.refuse(&statement_event()).expect("available");
        runtime.block_on(journal.written(ticket)).expect("written");
    }
}

#[test]
fn a_chain_goes_on_over_restarts() {
    let folder = Folder::new();
    for _ in 0..3 {
        let journal = journal(&folder, u64::MAX);
        record(&journal, 2);
        journal.close();
    }
    assert_eq!(folder.verify().records, 9);
    let mode = std::fs::metadata(folder.file()).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_record_cut_off_anywhere_is_set_aside_and_told_of() {
    let folder = Folder::new();
    let journal = journal(&folder, u64::MAX);
    record(&journal, 3);
    drop(journal);
    let whole = std::fs::read(folder.file()).expect("file");
    let last = whole[..whole.len() - 1]
        .iter()
        .rposition(|&c| c == b'\n')
        .expect("lines")
        + 1;
    for cut in 1..whole.len() - last {
        // What a crash leaves behind it: nothing, or blocks that never reached the disk.
        for debris in [&b""[..], b"\0\0\0", b"\0\0\n{\"seq\":9}\n"]
            .iter()
            .skip(cut % 3)
            .take(1)
        {
            let torn = [&whole[..last + cut], *debris].concat();
            std::fs::write(folder.file(), &torn).expect("file");
            let _ = std::fs::remove_file(folder.0.join("audit.jsonl.torn"));
            let journal = try_journal(&folder, u64::MAX).expect("opens");
            record(&journal, 1);
            journal.close();
            assert_eq!(
                folder.names(),
                ["statement", "statement", "recovered", "statement", "stop"],
                "cut at {cut}"
            );
            folder.verify();
            let aside = std::fs::read(folder.0.join("audit.jsonl.torn")).expect("set aside");
            assert_eq!(aside, torn[last..]);
        }
    }
}

#[test]
fn a_first_record_cut_off_leaves_an_empty_chain() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "{\"seq\":1,\"time").expect("file");
    journal(&folder, u64::MAX).close();
    assert_eq!(folder.names(), ["recovered", "stop"]);
    assert_eq!(folder.verify().first_seq, Some(1));
}

#[test]
fn a_chain_that_does_not_hold_is_not_gone_on_with() {
    let folder = Folder::new();
    let first = journal(&folder, u64::MAX);
    record(&first, 3);
    drop(first);
    let whole = std::fs::read_to_string(folder.file()).expect("file");
    let lines: Vec<&str> = whole.lines().collect();
    for broken in [
        whole.replacen("support_app", "sopport_app", 1),
        format!("{}\n{}\n", lines[0], lines[2]),
        format!("{whole}{{}}\n"),
    ] {
        std::fs::write(folder.file(), &broken).expect("file");
        let error = try_journal(&folder, u64::MAX).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        assert_eq!(
            std::fs::read_to_string(folder.file()).expect("file"),
            broken,
            "evidence is left alone"
        );
    }
}

#[test]
fn full_files_are_followed_by_others_and_the_chain_goes_on() {
    let folder = Folder::new();
    let first = journal(&folder, 2_000);
    record(&first, 10);
    drop(first);
    let files = folder.journals().len();
    assert!(files > 3, "{files}");
    assert_eq!(folder.verify().records, 10);

    // Ended between the two steps of a rotation: the newest full file is the end of the chain.
    let _ = std::fs::remove_file(folder.file());
    let records = folder.verify().records;
    let listed = reader::with_rotated(&[folder.file()]).expect("folder");
    let summary = reader::verify(&listed, &[], |finding| panic!("{finding:?}")).expect("readable");
    assert_eq!(summary.records, records, "by the name of the file that is not there");
    let second = journal(&folder, 2_000);
    record(&second, 3);
    second.close();
    assert_eq!(folder.verify().records, records + 4);

    let mut all = folder.journals();
    all.sort();
    let sorted = reader::in_order(&all).expect("files");
    assert_eq!(all, sorted, "sorted by name they are in order");
    all.remove(1);
    let mut faults = Vec::new();
    reader::verify(&all, &[], |finding| faults.push(finding)).expect("readable");
    assert!(
        matches!(
            faults[..],
            [reader::Finding {
                line: 1,
                fault: Fault::Missing { .. },
                ..
            }]
        ),
        "{faults:?}"
    );
}

#[test]
fn one_file_has_one_writer() {
    let folder = Folder::new();
    let first = journal(&folder, u64::MAX);
    let error = try_journal(&folder, u64::MAX).expect_err("held");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    first.close();
    journal(&folder, u64::MAX).close();
}

#[test]
fn a_file_moved_away_is_followed_by_another_that_tells_of_it() {
    let folder = Folder::new();
    let journal = journal(&folder, u64::MAX);
    record(&journal, 2);
    std::fs::rename(folder.file(), folder.0.join("moved.jsonl")).expect("moved");
    record(&journal, 1);
    journal.close();
    assert_eq!(
        folder.names(),
        ["statement", "statement", "statement", "recovered", "stop"]
    );
    folder.verify();
}

#[test]
fn a_file_that_somebody_else_writes_stops_statements_until_it_is_moved_away() {
    let folder = Folder::new();
    let journal = journal(&folder, u64::MAX);
    record(&journal, 1);
    for meddle in [
        |path: &Path| {
            std::fs::OpenOptions::new()
                .append(true)
                .open(path)
                .and_then(|mut f| f.write_all(b"x"))
        },
        |path: &Path| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|f| f.set_len(3))
        },
        |path: &Path| {
            std::fs::copy(path, path.with_extension("x")).and_then(|_| std::fs::rename(path.with_extension("x"), path))
        },
    ] {
        meddle(&folder.file()).expect("meddled");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let (_, ticket) = journal.refuse(&statement_event()).expect("not known to fail yet");
        assert!(runtime.block_on(journal.written(ticket)).is_err());
        assert!(journal.refuse(&statement_event()).is_err());
        std::fs::rename(folder.file(), folder.0.join("evidence")).expect("moved");
        while !journal.is_available() {
            std::thread::yield_now();
        }
        record(&journal, 1);
    }
    journal.close();
    assert_eq!(folder.names().last().map(String::as_str), Some("stop"));
}

#[test]
fn a_known_head_shows_a_cut_tail_and_a_rewritten_chain() {
    let folder = Folder::new();
    let first = journal(&folder, u64::MAX);
    record(&first, 3);
    first.note(Event::Start { version: "1" });
    drop(first);
    let head = folder.verify().head.expect("records");
    let known = |head| {
        reader::verify(&folder.journals(), &[head], |_| ())
            .expect("readable")
            .known[0]
            .1
    };
    assert_eq!(known(head), Known::Holds);
    let whole = std::fs::read_to_string(folder.file()).expect("file");
    let cut: String = whole.lines().take(2).map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.file(), cut).expect("file");
    assert_eq!(folder.verify().faults, 0, "a chain alone does not show it");
    assert_eq!(known(head), Known::NotThere);
    std::fs::remove_file(folder.file()).expect("file");
    let second = journal(&folder, u64::MAX);
    record(&second, 4);
    drop(second);
    assert_eq!(folder.verify().faults, 0, "a chain alone does not show it");
    assert!(matches!(known(head), Known::Rewritten(_)));
}

#[test]
fn old_files_are_followed_by_others_and_closed_ones_compressed() {
    let folder = Folder::new();
    let open = |compress| {
        let mut config = JournalConfig::new(folder.file());
        config.rotate_after = Some(Duration::from_millis(1));
        config.compress = compress;
        config.signer = Some(crate::audit::checkpoint::Signer::from_seed(&[7; 32]));
        Journal::open(config).expect("opens")
    };
    // What one run left uncompressed, the next compresses.
    for compress in [false, true] {
        let journal = open(compress);
        for _ in 0..3 {
            record(&journal, 1);
            let files = files::rotated(&folder.file()).expect("folder").len();
            let deadline = Instant::now() + Duration::from_secs(60);
            while files::rotated(&folder.file()).expect("folder").len() == files {
                journal.note(Event::Stop);
                assert!(Instant::now() < deadline, "never another file");
                std::thread::yield_now();
            }
        }
        journal.close();
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while files::rotated(&folder.file())
        .expect("folder")
        .iter()
        .any(|file| !file.compressed)
    {
        assert!(Instant::now() < deadline, "never compressed");
        std::thread::yield_now();
    }
    let all = reader::with_rotated(&[folder.file()]).expect("folder");
    assert!(all.len() > 6, "{all:?}");
    let summary = reader::verify(&all, &[], |finding| panic!("{finding:?}")).expect("readable");
    assert_eq!(summary.first_seq, Some(1));
    // Each closed file ends with a checkpoint.
    for path in all.iter().filter(|path| path.extension().is_some_and(|e| e == "gz")) {
        let mut last = String::new();
        for line in io::BufRead::lines(files::open(path).expect("file")) {
            last = line.expect("decodes");
        }
        assert!(crate::audit::checkpoint::Checkpoint::is_one(last.as_bytes()), "{last}");
    }
    // The chain goes on from a compressed file where the newest was lost between two steps.
    std::fs::remove_file(folder.file()).expect("file");
    let before = files::rotated(&folder.file()).expect("folder");
    let journal = journal(&folder, u64::MAX);
    record(&journal, 1);
    journal.close();
    assert!(!before.is_empty());
    let all = reader::with_rotated(&[folder.file()]).expect("folder");
    reader::verify(&all, &[], |finding| panic!("{finding:?}")).expect("readable");
}
