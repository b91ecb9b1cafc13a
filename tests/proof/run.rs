//! Many statements: what came of them, and what a failing one shrinks to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::check::{Checker, Sent, Verdict, Wrong};
use super::grammar::{Grammar, Mode, Statement};
use super::random::Random;
use super::tree::Node;
use super::world::{ROLES, World};

/// What is counted.
#[derive(Debug, Default)]
pub struct Figures {
    pub tried: u64,
    rows: u64,
    empty: u64,
    too_slow: u64,
    errors: BTreeMap<String, Reasons>,
    refused: BTreeMap<String, Reasons>,
    explained: BTreeMap<&'static str, u64>,
    modes: BTreeMap<&'static str, u64>,
    pub failures: Vec<Failure>,
    pub failed: BTreeMap<Wrong, u64>,
}

/// How often, and for each message how often and the shortest statement.
#[derive(Debug, Default)]
struct Reasons {
    count: u64,
    messages: BTreeMap<String, (u64, String)>,
}

impl Reasons {
    fn add(&mut self, count: u64, message: String, sql: &str) {
        self.count += count;
        let known = self.messages.entry(message).or_insert_with(|| (0, sql.to_owned()));
        known.0 += count;
        if sql.len() < known.1.len() {
            sql.clone_into(&mut known.1);
        }
    }

    fn merge(into: &mut BTreeMap<String, Self>, from: BTreeMap<String, Self>) {
        for (code, reasons) in from {
            let of = into.entry(code).or_default();
            for (message, (count, sql)) in reasons.messages {
                of.add(count, message, &sql);
            }
        }
    }

    fn write(all: &BTreeMap<String, Self>, what: &str, out: &mut String) {
        for (code, reasons) in all {
            let _ = writeln!(out, "{what} {code}: {}", reasons.count);
            let mut messages: Vec<_> = reasons.messages.iter().collect();
            messages.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
            for (message, (count, sql)) in messages.into_iter().take(12) {
                let sql: String = sql.chars().take(300).collect();
                let _ = writeln!(out, "  {count} {message}\n      {sql}");
            }
        }
    }
}

/// A failing statement, shrunk.
#[derive(Debug, Clone)]
pub struct Failure {
    pub number: u64,
    pub wrong: Wrong,
    pub sent: Sent,
    pub told: String,
}

/// Which statements.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub numbers: std::ops::Range<u64>,
    pub lanes: u64,
    pub role: Option<String>,
    /// After so many failures no more is shrunk.
    pub shrink: usize,
    pub progress: bool,
    /// Ends after so many.
    pub seconds: Option<u64>,
}

pub fn statement(world: &World, plan: &Plan, number: u64) -> (String, Statement) {
    let role = plan
        .role
        .clone()
        .unwrap_or_else(|| ROLES[(number % ROLES.len() as u64) as usize].to_owned());
    let statement = Grammar::new(Random::of(plan.seed, number), &world.tables, &role).statement();
    (role, statement)
}

pub fn sent(role: &str, statement: &Statement, tree: &Node) -> Sent {
    let with_parameters = match statement.mode {
        Mode::Extended { parameters, .. } | Mode::Prepared { parameters } => parameters,
        Mode::Simple | Mode::Again | Mode::Portal { .. } | Mode::Cursor(_) | Mode::Copy(_) | Mode::Temporary(_) => {
            false
        }
    };
    let (sql, values) = match with_parameters {
        true => tree.parameterized(),
        false => (tree.text(), Vec::new()),
    };
    Sent {
        role: role.to_owned(),
        sql,
        values,
        before: (statement.mode == Mode::Again).then(|| tree.varied().text()),
        mode: statement.mode,
        is_ordered: statement.is_ordered && tree.text().contains(" ORDER BY 1"),
        writes: statement.writes.clone(),
    }
}

/// Plays what failed once: what fails again.
pub fn replay(world: &World, cases: Vec<Sent>) -> Vec<Failure> {
    let mut checker = Checker::new(world);
    let failed = cases.into_iter().filter_map(|sent| match checker.check(&sent) {
        Verdict::Wrong(wrong, told) => Some(Failure {
            number: 0,
            wrong,
            sent,
            told,
        }),
        Verdict::Same(_) | Verdict::SameError(..) | Verdict::Refused(..) | Verdict::Explained(_) | Verdict::TooSlow => {
            None
        }
    });
    failed.collect()
}

/// Runs a plan, each lane on connections of its own.
pub fn run(world: &World, plan: &Plan) -> Figures {
    let lanes: Vec<Figures> = std::thread::scope(|scope| {
        let start = |lane| {
            std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn_scoped(scope, move || run_lane(world, plan, lane))
                .unwrap()
        };
        let threads: Vec<_> = (0..plan.lanes).map(start).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    lanes.into_iter().fold(Figures::default(), Figures::with)
}

fn run_lane(world: &World, plan: &Plan, lane: u64) -> Figures {
    let mut checker = Checker::new(world);
    let mut figures = Figures::default();
    let (begun, mut said) = (Instant::now(), Instant::now());
    for number in plan.numbers.clone().filter(|n| n % plan.lanes == lane) {
        if plan.seconds.is_some_and(|s| begun.elapsed() > Duration::from_secs(s)) {
            break;
        }
        let (role, statement) = statement(world, plan, number);
        let sent = sent(&role, &statement, &statement.tree);
        let verdict = checker.check(&sent);
        figures.count(&sent, &verdict);
        if let Verdict::Wrong(wrong, told) = verdict {
            let failure = Failure {
                number,
                wrong,
                sent,
                told,
            };
            let known = figures.failures.len() < plan.shrink;
            let failure = if known {
                shrink(&mut checker, &statement, failure)
            } else {
                failure
            };
            if plan.progress {
                eprintln!("{failure}");
            }
            figures.failures.push(failure);
        }
        if plan.progress && said.elapsed() > Duration::from_secs(20) {
            said = Instant::now();
            let rate = figures.tried as f64 / begun.elapsed().as_secs_f64();
            eprintln!(
                "lane {lane}: {} tried, {rate:.0}/s, {:?}",
                figures.tried, figures.failed
            );
        }
    }
    figures
}

/// The smallest statement found that fails in the same way.
fn shrink(checker: &mut Checker<'_>, statement: &Statement, mut failure: Failure) -> Failure {
    let mut tree = statement.tree.clone();
    let until = Instant::now() + Duration::from_secs(30);
    'smaller: loop {
        for candidate in tree.smaller() {
            if Instant::now() > until {
                return failure;
            }
            let sent = sent(&failure.sent.role, statement, &candidate);
            if let Verdict::Wrong(wrong, told) = checker.check(&sent)
                && wrong == failure.wrong
            {
                (failure.sent, failure.told) = (sent, told);
                tree = candidate;
                continue 'smaller;
            }
        }
        return failure;
    }
}

impl Figures {
    fn count(&mut self, sent: &Sent, verdict: &Verdict) {
        self.tried += 1;
        *self.modes.entry(mode_name(sent)).or_default() += 1;
        match verdict {
            Verdict::Same(0) => self.empty += 1,
            Verdict::Same(_) => self.rows += 1,
            Verdict::SameError(state, message) => {
                self.errors
                    .entry(state.clone())
                    .or_default()
                    .add(1, without_names(message), &sent.sql);
            }
            Verdict::Refused(code, message) => {
                self.refused
                    .entry(code.clone())
                    .or_default()
                    .add(1, without_names(message), &sent.sql);
            }
            Verdict::Explained(why) => *self.explained.entry(why).or_default() += 1,
            Verdict::TooSlow => self.too_slow += 1,
            Verdict::Wrong(wrong, _) => *self.failed.entry(*wrong).or_default() += 1,
        }
    }

    fn with(mut self, other: Self) -> Self {
        self.tried += other.tried;
        self.rows += other.rows;
        self.empty += other.empty;
        self.too_slow += other.too_slow;
        Reasons::merge(&mut self.errors, other.errors);
        Reasons::merge(&mut self.refused, other.refused);
        for (why, count) in other.explained {
            *self.explained.entry(why).or_default() += count;
        }
        for (mode, count) in other.modes {
            *self.modes.entry(mode).or_default() += count;
        }
        for (wrong, count) in other.failed {
            *self.failed.entry(wrong).or_default() += count;
        }
        self.failures.extend(other.failures);
        self
    }

    /// Enough of them gave rows for the comparison to mean something.
    pub fn is_telling(&self) -> bool {
        self.rows * 3 > self.tried
    }

    /// All was as it must be.
    pub fn is_fine(&self) -> bool {
        self.failures.is_empty() && self.is_telling()
    }

    /// A page for people.
    pub fn report(&self) -> String {
        let mut out = String::new();
        let refused: u64 = self.refused.values().map(|r| r.count).sum();
        let errors: u64 = self.errors.values().map(|r| r.count).sum();
        let _ = writeln!(
            out,
            "{} tried: {} with rows, {} without, {errors} errors, {refused} refused, {} too slow, {} explained, {} wrong",
            self.tried,
            self.rows,
            self.empty,
            self.too_slow,
            self.explained.values().sum::<u64>(),
            self.failures.len()
        );
        let _ = writeln!(out, "sent as: {:?}", self.modes);
        let _ = writeln!(out, "explained: {:?}", self.explained);
        let _ = writeln!(out, "wrong: {:?}", self.failed);
        Reasons::write(&self.errors, "error", &mut out);
        Reasons::write(&self.refused, "refused as", &mut out);
        out
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\n## {:?}, statement {}\n{}", self.wrong, self.number, self.sent)?;
        for line in self.told.lines() {
            writeln!(f, "##   {line}")?;
        }
        Ok(())
    }
}

fn mode_name(sent: &Sent) -> &'static str {
    match sent.mode {
        Mode::Simple => "simple",
        Mode::Extended { binary: true, .. } => "extended, binary",
        Mode::Extended { .. } => "extended",
        Mode::Portal { .. } => "portal",
        Mode::Cursor(_) => "cursor",
        Mode::Prepared { .. } => "PREPARE",
        Mode::Copy(_) => "COPY",
        Mode::Temporary(_) => "temporary table",
        Mode::Again => "after one of its shape",
    }
}

/// A refusal's message as a kind of message.
fn without_names(message: &str) -> String {
    message
        .split(' ')
        .map(|word| {
            if word.contains(|c: char| c.is_ascii_digit() || c == '"') {
                "…"
            } else {
                word
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}
