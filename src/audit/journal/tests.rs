//! The journal over a medium that fails where it is told to: nothing counts as written that is not,
//! and what is in the file is always a chain that holds.

use std::sync::Condvar;
use std::time::Instant;

use super::*;
use crate::audit::chain::{Checker, Head, Link};
use crate::audit::event::tests::statement_event;
use crate::audit::storage::{Condition, Ledger, Medium};

#[derive(Debug)]
struct Disk {
    bytes: Vec<u8>,
    /// So many bytes fit; what is beyond fails, in the middle of a write.
    room: usize,
    sync_fails: bool,
    cut_fails: bool,
    panics: bool,
    held: bool,
    syncs: usize,
}

#[derive(Debug, Clone)]
struct Fake(Arc<(Mutex<Disk>, Condvar)>);

impl Fake {
    fn new() -> Self {
        let disk = Disk {
            bytes: Vec::new(),
            room: usize::MAX,
            sync_fails: false,
            cut_fails: false,
            panics: false,
            held: false,
            syncs: 0,
        };
        Self(Arc::new((Mutex::new(disk), Condvar::new())))
    }

    fn set<T>(&self, change: impl FnOnce(&mut Disk) -> T) -> T {
        let result = change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
        result
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let bytes = self.set(|disk| disk.bytes.clone());
        assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "ends after a whole record");
        let mut chain = Checker::default();
        let lines: Vec<Vec<u8>> = bytes
            .split_inclusive(|&c| c == b'\n')
            .map(|l| l[..l.len() - 1].to_vec())
            .collect();
        for line in &lines {
            chain.next(line).expect("the chain holds");
        }
        lines
    }

    fn events(&self) -> Vec<serde_json::Value> {
        self.lines()
            .iter()
            .map(|line| serde_json::from_slice(line).expect("JSON"))
            .collect()
    }

    fn names(&self) -> Vec<String> {
        self.events()
            .iter()
            .map(|e| e["event"].as_str().expect("event").to_owned())
            .collect()
    }
}

impl Medium for Fake {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let disk = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut disk = self
            .0
            .1
            .wait_while(disk, |disk| disk.held)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!disk.panics, "told to");
        let fits = bytes.len().min(disk.room.saturating_sub(disk.bytes.len()));
        disk.bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() {
            disk.room = disk.room.min(disk.bytes.len() - fits); // and stays full
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.set(|disk| {
            disk.syncs += 1;
            if disk.sync_fails {
                Err(io::Error::other("sync"))
            } else {
                Ok(())
            }
        })
    }
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set(|disk| {
            if disk.cut_fails {
                return Err(io::Error::other("cut"));
            }
            disk.bytes.truncate(usize::try_from(length).expect("small"));
            Ok(())
        })
    }
    fn condition(&self, length: u64) -> io::Result<Condition> {
        assert_eq!(
            self.set(|disk| disk.bytes.len()) as u64,
            length,
            "nothing is written after half a record"
        );
        Ok(Condition::Intact)
    }
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn rotate(&mut self, _: u64) -> io::Result<PathBuf> {
        Err(io::Error::other("not here"))
    }
}

fn start(fake: &Fake, change: impl FnOnce(&mut JournalConfig)) -> Journal {
    let mut config = JournalConfig::new("");
    config.retry = Duration::from_millis(1);
    change(&mut config);
    let start = Start {
        ledger: Ledger::new(fake.clone(), 0),
        head: Head::GENESIS,
        first: None,
        signer: config.signer.clone(),
    };
    Journal::start(start, &config).expect("starts")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime")
        .block_on(future)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::yield_now();
    }
}

fn text() -> Arc<Verified> {
    Arc::new(Verified::refusal())
}

fn completed(ticket: Ticket) -> Event {
    Event::Completed {
        of: ticket.id(),
        rows: 1,
        bytes: 1,
        duration_us: 1,
        sqlstate: None,
        groups_left_out: None,
    }
}

#[test]
fn what_was_recorded_is_there_in_order_and_ends_with_stop() {
    let fake = Fake::new();
    let journal = start(&fake, |_| ());
    journal.note(Event::Start { version: "1" });
    let (recorded, ticket) = journal.record(text(), &statement_event()).expect("available");
    assert_eq!(recorded.text(), Verified::refusal().text());
    assert_eq!(wait(journal.written(ticket)), Ok(()));
    assert!(fake.set(|disk| disk.syncs) > 0, "on disk");
    journal.note(completed(ticket));
    journal.close();
    assert_eq!(fake.names(), ["start", "statement", "completed", "stop"]);
    let events = fake.events();
    assert_eq!(events[1]["id"], ticket.id().to_string());
    assert_eq!(events[2]["of"], ticket.id().to_string());
    assert_eq!(
        journal.record(text(), &statement_event()).map(|_| ()),
        Err(AuditUnavailable)
    );
    assert_eq!(wait(journal.written(journal.note(Event::Stop))), Err(AuditUnavailable));
    journal.close();
    assert_eq!(fake.names().len(), 4);
}

#[test]
fn the_last_handles_end_writes_all_that_was_queued() {
    let fake = Fake::new();
    let journal = start(&fake, |config| config.durability = Durability::System);
    let other = journal.clone();
    for _ in 0..100 {
        other.refuse(&statement_event()).expect("available");
    }
    drop(journal);
    drop(other);
    assert_eq!(fake.names(), vec!["statement"; 100]);
    assert_eq!(fake.set(|disk| disk.syncs), 0);
}

#[test]
fn many_threads_and_the_watermark_is_right_for_each() {
    let fake = Fake::new();
    let journal = start(&fake, |_| ());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..40 {
                    let (_, ticket) = journal.record(text(), &statement_event()).expect("available");
                    wait(journal.written(ticket)).expect("written");
                    let id = ticket.id().to_string();
                    let there = fake.set(|disk| disk.bytes.windows(id.len()).rev().any(|w| w == id.as_bytes()));
                    assert!(there, "written before it is said to be");
                    journal.note(completed(ticket));
                }
            });
        }
    });
    journal.close();
    assert_eq!(fake.lines().len(), 8 * 40 * 2 + 1);
}

#[test]
fn waiters_are_many_on_one_batch() {
    let fake = Fake::new();
    let journal = start(&fake, |_| ());
    fake.set(|disk| disk.held = true);
    let tickets: Vec<Ticket> = (0..50)
        .map(|_| journal.record(text(), &statement_event()).expect("available").1)
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("runtime");
    let waiting: Vec<_> = tickets
        .into_iter()
        .map(|ticket| {
            let journal = journal.clone();
            runtime.spawn(async move { journal.written(ticket).await })
        })
        .collect();
    assert!(waiting.iter().all(|task| !task.is_finished()), "nothing is written yet");
    fake.set(|disk| disk.held = false);
    for task in waiting {
        assert_eq!(runtime.block_on(task).expect("no panic"), Ok(()));
    }
    assert!(
        fake.set(|disk| disk.syncs) <= 2,
        "one batch may be on its way, all others are one"
    );
}

#[test]
fn a_full_disk_at_any_byte_refuses_keeps_whole_records_and_recovers() {
    let whole = {
        let fake = Fake::new();
        let journal = start(&fake, |_| ());
        let (_, ticket) = journal.record(text(), &statement_event()).expect("available");
        wait(journal.written(ticket)).expect("written");
        fake.set(|disk| disk.bytes.len())
    };
    for room in (0..whole).step_by(41).chain([whole - 1]) {
        let fake = Fake::new();
        let journal = start(&fake, |_| ());
        let (_, first) = journal.record(text(), &statement_event()).expect("available");
        wait(journal.written(first)).expect("written");
        fake.set(|disk| disk.room = whole + room);
        let (_, second) = journal
            .record(text(), &statement_event())
            .expect("not known to fail yet");
        assert_eq!(wait(journal.written(second)), Err(AuditUnavailable));
        assert_eq!(wait(journal.written(first)), Ok(()), "what is written stays written");
        assert!(!journal.is_available());
        assert!(journal.record(text(), &statement_event()).is_err(), "refused at once");
        assert!(journal.prepare(text()).is_err());
        assert_eq!(Recorded::refusal().text(), Verified::refusal().text());
        let note = journal.note(completed(first));
        assert_eq!(
            wait(journal.written(note)),
            Err(AuditUnavailable),
            "nobody waits through an outage"
        );

        fake.set(|disk| disk.room = usize::MAX);
        until("available again", || journal.is_available());
        assert!(journal.prepare(text()).is_ok());
        let (_, third) = journal.record(text(), &statement_event()).expect("available");
        assert_eq!(wait(journal.written(third)), Ok(()));
        assert_eq!(
            wait(journal.written(second)),
            Err(AuditUnavailable),
            "what failed stays failed"
        );
        journal.close();
        // An attempt that was under way when there was room again tells of what it knew; another tells the rest.
        let (told, others): (Vec<_>, Vec<_>) = fake.events().into_iter().partition(|e| e["event"] == "recovered");
        let names: Vec<_> = others.iter().map(|e| e["event"].as_str().expect("event")).collect();
        assert_eq!(names, ["statement", "completed", "statement", "stop"]);
        assert_eq!(told[0]["seq"], 2, "at once");
        let total = |key: &str| told.iter().map(|e| e[key].as_u64().expect("number")).sum::<u64>();
        assert_eq!((total("refused"), total("lost")), (2, 0));
    }
}

#[test]
fn what_is_not_on_disk_is_not_written_even_if_it_is_in_the_file() {
    for cut_fails in [false, true] {
        let fake = Fake::new();
        let journal = start(&fake, |_| ());
        fake.set(|disk| {
            disk.sync_fails = true;
            disk.cut_fails = cut_fails;
        });
        let (_, ticket) = journal
            .record(text(), &statement_event())
            .expect("not known to fail yet");
        assert_eq!(wait(journal.written(ticket)), Err(AuditUnavailable));
        fake.set(|disk| {
            disk.sync_fails = false;
            disk.cut_fails = false;
        });
        until("available again", || journal.is_available());
        journal.close();
        assert_eq!(fake.names(), ["recovered", "stop"]);
    }
}

#[test]
fn a_journal_that_cannot_be_written_ends_all_the_same() {
    let fake = Fake::new();
    fake.set(|disk| disk.room = 0);
    let journal = start(&fake, |config| config.retry = Duration::from_secs(3600));
    let (_, ticket) = journal
        .record(text(), &statement_event())
        .expect("not known to fail yet");
    assert_eq!(wait(journal.written(ticket)), Err(AuditUnavailable));
    journal.close();
    assert_eq!(fake.lines().len(), 0);
}

#[test]
fn a_queue_that_is_full_refuses_statements_before_notes_and_tells_of_it() {
    let fake = Fake::new();
    let journal = start(&fake, |config| config.queue_bytes = 10_000);
    fake.set(|disk| disk.held = true);
    let mut tickets = Vec::new();
    // The writer may have taken some before it was held up.
    while let Ok((_, ticket)) = journal.record(text(), &statement_event()) {
        tickets.push(ticket);
        assert!(tickets.len() < 100, "bounded");
    }
    assert!(journal.is_available(), "full is not failed");
    let note = journal.note(completed(tickets[0]));
    let notes: Vec<Ticket> = (0..200).map(|_| journal.note(completed(tickets[0]))).collect();
    fake.set(|disk| disk.held = false);
    assert!(tickets.into_iter().all(|ticket| wait(journal.written(ticket)).is_ok()));
    assert_eq!(wait(journal.written(note)), Ok(()));
    let lost = notes
        .into_iter()
        .filter(|&note| wait(journal.written(note)).is_err())
        .count();
    assert!(lost > 0);
    let (_, ticket) = journal.record(text(), &statement_event()).expect("room again");
    assert_eq!(wait(journal.written(ticket)), Ok(()));
    journal.close();
    let told: Vec<_> = fake
        .events()
        .into_iter()
        .filter(|e| e["event"] == "recovered")
        .collect();
    assert!(told.iter().all(|event| event["cause"] == "overflow"));
    let sum = |key: &str| {
        told.iter()
            .map(|event| event[key].as_u64().expect("a number"))
            .sum::<u64>()
    };
    assert_eq!((sum("lost"), sum("refused")), (lost as u64, 1));
}

#[test]
fn a_writer_that_panics_leaves_nobody_waiting() {
    let fake = Fake::new();
    fake.set(|disk| disk.panics = true);
    let journal = start(&fake, |_| ());
    let (_, ticket) = journal
        .record(text(), &statement_event())
        .expect("not known to fail yet");
    assert_eq!(wait(journal.written(ticket)), Err(AuditUnavailable));
    until("closed", || journal.record(text(), &statement_event()).is_err());
    assert_eq!(wait(journal.written(journal.note(Event::Stop))), Err(AuditUnavailable));
    journal.close();
}

#[test]
fn a_record_holds_its_links() {
    let fake = Fake::new();
    let journal = start(&fake, |_| ());
    journal.note(Event::Stop);
    journal.close();
    let lines = fake.lines();
    let links: Vec<Link> = lines.iter().map(|line| Link::read(line).expect("record")).collect();
    assert_eq!(links[1].prev, links[0].hash);
    assert_eq!(links[0].seq, 1);
}

#[test]
fn a_follower_sees_what_is_written_in_order_and_the_end() {
    let fake = Fake::new();
    let journal = start(&fake, |_| ());
    journal.note(Event::Start { version: "1" });
    let mut follower = journal.follow();
    let (_, ticket) = journal.record(text(), &statement_event()).expect("available");
    wait(journal.written(ticket)).expect("written");
    journal.close();
    let mut seen = Vec::new();
    while let Ok(record) = follower.blocking_recv() {
        seen.push(record);
    }
    let lines = fake.lines();
    let from = lines.len() - seen.len();
    for (index, record) in seen.iter().enumerate() {
        assert_eq!(record.line, lines[from + index]);
        assert_eq!(record.seq, (from + index) as u64 + 1);
    }
    assert!(seen.len() >= 2, "the statement and the stop");
    assert!(journal.follow().blocking_recv().is_err(), "nothing more comes");
}

#[test]
fn a_follower_that_sleeps_holds_up_nobody_and_learns_what_it_missed() {
    let fake = Fake::new();
    let journal = start(&fake, |config| config.queue_bytes = usize::MAX);
    let mut follower = journal.follow();
    let extra = 100;
    for _ in 0..crate::audit::feed::DEPTH + extra {
        journal.note(Event::Stop);
    }
    journal.close();
    let missed = match follower.blocking_recv() {
        Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => missed,
        other => panic!("told of {other:?}"),
    };
    assert_eq!(missed, extra as u64 + 1);
    assert_eq!(follower.blocking_recv().expect("the rest").seq, missed + 1);
}

#[test]
fn whoever_waits_writes_and_the_watermark_is_right_for_each() {
    let fake = Fake::new();
    let journal = start(&fake, |config| config.durability = Durability::System);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for i in 0..200 {
                    let (_, ticket) = journal.record(text(), &statement_event()).expect("available");
                    if i % 2 == 0 {
                        journal.help();
                    }
                    wait(journal.written(ticket)).expect("written");
                    let id = ticket.id().to_string();
                    let there = fake.set(|disk| disk.bytes.windows(id.len()).rev().any(|w| w == id.as_bytes()));
                    assert!(there, "written before it is said to be");
                    journal.note(completed(ticket));
                }
            });
        }
    });
    journal.close();
    assert_eq!(fake.lines().len(), 8 * 200 * 2 + 1);
    assert_eq!(fake.set(|disk| disk.syncs), 0);
}

#[test]
fn a_failure_in_place_refuses_keeps_whole_records_and_recovers() {
    let fake = Fake::new();
    let journal = start(&fake, |config| config.durability = Durability::System);
    let (_, first) = journal.record(text(), &statement_event()).expect("available");
    assert_eq!(wait(journal.written(first)), Ok(()));
    fake.set(|disk| disk.room = disk.bytes.len() + 100);
    let (_, second) = journal
        .record(text(), &statement_event())
        .expect("not known to fail yet");
    assert_eq!(wait(journal.written(second)), Err(AuditUnavailable));
    assert!(journal.record(text(), &statement_event()).is_err(), "refused at once");
    journal.note(completed(first));
    fake.set(|disk| disk.room = usize::MAX);
    until("available again", || journal.is_available());
    let (_, third) = journal.record(text(), &statement_event()).expect("available");
    assert_eq!(wait(journal.written(third)), Ok(()));
    journal.close();
    assert_eq!(
        fake.names(),
        ["statement", "recovered", "completed", "statement", "stop"]
    );
}

#[test]
fn nobody_waits_for_a_write_that_hangs_and_it_recovers_by_itself() {
    for durability in [Durability::Disk, Durability::System] {
        let fake = Fake::new();
        let journal = start(&fake, |config| {
            config.durability = durability;
            config.patience = Duration::from_millis(20);
        });
        fake.set(|disk| disk.held = true);
        let (_, first) = journal
            .record(text(), &statement_event())
            .expect("not known to hang yet");
        std::thread::scope(|scope| {
            // In place, whoever waits is who hangs; another sees to it that nobody else does.
            let waits = scope.spawn(|| wait(journal.written(first)));
            until("given up", || !journal.is_available());
            assert!(journal.record(text(), &statement_event()).is_err(), "refused at once");
            let note = journal.note(completed(first));
            assert_eq!(wait(journal.written(note)), Err(AuditUnavailable), "nobody waits");
            fake.set(|disk| disk.held = false);
            assert_eq!(
                waits.join().expect("no panic"),
                Err(AuditUnavailable),
                "what failed stays so"
            );
        });
        until("available again", || journal.is_available());
        let (_, second) = journal.record(text(), &statement_event()).expect("available");
        assert_eq!(wait(journal.written(second)), Ok(()));
        journal.close();
        let names = fake.names();
        assert_eq!(names.iter().filter(|name| *name == "completed").count(), 1, "{names:?}");
        let told = fake.events().into_iter().find(|event| event["cause"] == "overflow");
        assert_eq!(told.expect("told")["refused"], 1);
    }
}

#[test]
fn checkpoints_come_by_number_by_time_and_at_the_end() {
    let by = |records, after| {
        let fake = Fake::new();
        let journal = start(&fake, |config| {
            config.signer = Some(Signer::from_seed(&[7; 32]));
            config.checkpoint_records = records;
            config.checkpoint_after = after;
        });
        for _ in 0..10 {
            let (_, ticket) = journal.record(text(), &statement_event()).expect("available");
            wait(journal.written(ticket)).expect("written");
        }
        (fake, journal)
    };
    let (fake, journal) = by(3, Duration::MAX);
    journal.close();
    let names = fake.names();
    let at: Vec<usize> = (0..names.len()).filter(|&i| names[i] == "checkpoint").collect();
    assert_eq!(at, [3, 7, 11, 14]);
    let (fake, journal) = by(u64::MAX, Duration::from_millis(1));
    until("a checkpoint over all", || {
        fake.names().last().is_some_and(|name| name == "checkpoint")
    });
    let before = fake.names().len();
    journal.close();
    assert_eq!(fake.names()[before..], ["stop", "checkpoint"]);
}
