//! A journal that goes on while it is followed, over rotations, with nobody asleep: each time the follower
//! has nothing to read, more is written.

use super::super::event::tests::statement_event;
use super::super::query::Found;
use super::super::storage::tests::Folder;
use super::super::{Journal, JournalConfig};
use super::*;

#[derive(Default)]
struct Seen {
    records: Vec<(u64, bool)>,
    skipped: u64,
}

impl Sink for Seen {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        let seq = found.record.number("seq").expect("seq");
        self.records.push((seq, found.completion.is_some()));
        Ok(())
    }
    fn skipped(&mut self, _: &Skipped) {
        self.skipped += 1;
    }
}

fn record(journal: &Journal, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    for _ in 0..count {
        let (_, ticket) = journal.refuse(&statement_event()).expect("available");
        runtime.block_on(journal.written(ticket)).expect("written");
    }
}

#[test]
fn nothing_is_missed_and_nothing_comes_twice_over_rotations() {
    let folder = Folder::new();
    let mut config = JournalConfig::new(folder.file());
    config.rotate_bytes = 1_500;
    config.compress = true;
    let journal = Journal::open(config).expect("opens");
    record(&journal, 7);
    let mut seen = Seen::default();
    let mut rounds = [1, 0, 2, 30, 0, 1].into_iter();
    let mut more = || rounds.next().inspect(|count| record(&journal, *count)).is_some();
    follow(&folder.file(), &Filter::default(), &mut seen, &mut more).expect("readable");
    journal.close();
    let seqs: Vec<u64> = seen.records.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=41).collect::<Vec<u64>>());
    assert_eq!(seen.skipped, 0);
    assert!(
        files::rotated(&folder.file()).expect("folder").len() > 5,
        "files were rotated away"
    );
}

#[test]
fn a_line_in_pieces_is_one_and_a_long_statement_holds_nobody_up() {
    let folder = Folder::new();
    let path = folder.file();
    let statement = |seq: u8| {
        format!(
            r#"{{"seq":{seq},"time":"2026-11-24T06:00:00.000000Z","event":"statement","id":"{seq}","outcome":"allow"}}"#
        )
    };
    let end = r#"{"seq":3,"time":"2026-11-24T06:00:00.000000Z","event":"completed","of":"2","rows":1}"#;
    let whole = format!("{}\n{}\n{end}\nno record\n", statement(1), statement(2));
    let (before, after) = whole.split_at(150); // within the second record
    std::fs::write(&path, before).expect("file");
    let mut seen = Seen::default();
    let mut rounds = [whole.as_str(), &whole, &whole].into_iter();
    let mut more = || {
        let Some(text) = rounds.next() else { return false };
        let grown = std::fs::read_to_string(&path).expect("file");
        let rest = text.strip_prefix(grown.as_str()).expect("a beginning");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("file");
        io::Write::write_all(&mut file, rest.as_bytes()).is_ok()
    };
    follow(&path, &Filter::default(), &mut seen, &mut more).expect("readable");
    assert!(after.len() > 100, "it was cut within");
    assert_eq!(seen.records, [(1, false), (2, true)]);
    assert_eq!(seen.skipped, 1);
}
