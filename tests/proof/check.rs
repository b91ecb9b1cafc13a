//! Runs one statement on three databases and says what is wrong, if anything.
//!
//! Non-interference: through the proxy, the raw database and the role's twin give the same bytes. Equivalence: through
//! the proxy, the raw database gives what PostgreSQL gives over the released relations. Rows without an order of their
//! own are compared as a bag.

use std::collections::HashMap;

use super::grammar::{COPIES, CURSORS, Mode, TEMPORARIES};
use super::wire::{Message, Request, Session};
use super::world::World;

/// A statement as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub role: String,
    pub sql: String,
    pub values: Vec<String>,
    /// Sent before it, of the same shape.
    pub before: Option<String>,
    pub mode: Mode,
    pub is_ordered: bool,
    /// In a transaction that is undone; then the table that is looked at after it, or nothing.
    pub writes: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// The answer tells of what is not released.
    Interference,
    /// The answer is not that of the released relations.
    Inequivalence,
    /// The gate stopped what the core had written.
    NotVerified,
    /// The connection broke.
    Lost,
}

#[derive(Debug, Clone)]
pub enum Verdict {
    /// Rows, so many.
    Same(usize),
    /// The same SQLSTATE, and the message.
    SameError(String, String),
    /// The code and the message.
    Refused(String, String),
    /// Differs, as PostgreSQL may differ from itself over the released relations.
    Explained(&'static str),
    TooSlow,
    Wrong(Wrong, String),
}

type Answer = Result<Vec<Message>, String>;

/// The connections of one thread, made as they are needed.
pub struct Checker<'w> {
    world: &'w World,
    sessions: HashMap<(String, bool, Place), Session>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Raw,
    Twin,
    Released(usize),
}

/// Other ways in which PostgreSQL may run a statement over the released relations: which of several errors it meets,
/// or whether it meets one, depends on the plan.
const PLANS: [&[(&str, &str)]; 11] = [
    &[],
    &[("search_path", "flat, public")],
    &[("search_path", "fenced, public")],
    &[("search_path", "backward, public")],
    &[("enable_hashjoin", "off"), ("enable_mergejoin", "off")],
    &[("enable_nestloop", "off"), ("enable_material", "off")],
    &[("enable_seqscan", "off")],
    &[
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_material", "off"),
    ],
    &[("join_collapse_limit", "1"), ("from_collapse_limit", "1")],
    &[
        ("search_path", "fenced, public"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_hashagg", "off"),
    ],
    // Not a plan: conditions of a write are evaluated one by one, in order or not.
    &[("application_name", "case")],
];

/// No plan of [`PLANS`] explains it.
const IN_NO_PLAN: &str = "order of evaluation, in no plan tried";

impl Sent {
    /// What is sent, one request after the other.
    fn requests(&self) -> Vec<Request> {
        let simple = |sql: String| Request::simple(&sql);
        let around = |steps: &[&str]| steps.iter().map(|step| simple(step.replace("{}", &self.sql))).collect();
        let main = match self.mode {
            Mode::Simple => vec![Request::simple(&self.sql)],
            Mode::Again => {
                let before = self.before.iter().map(|sql| Request::simple(sql));
                before.chain([Request::simple(&self.sql)]).collect()
            }
            Mode::Extended { binary, .. } => vec![Request::extended(&self.sql, &self.values, binary, 0, 1)],
            Mode::Portal { rows, executes } => vec![Request::extended(&self.sql, &self.values, false, rows, executes)],
            Mode::Cursor(way) => around(CURSORS[way]),
            Mode::Temporary(way) => around(TEMPORARIES[way]),
            Mode::Copy(format) => vec![simple(format!("COPY ({}) TO STDOUT{}", self.sql, COPIES[format]))],
            Mode::Prepared { .. } => {
                let quoted = self.values.iter().map(|v| format!("'{}'", v.replace('\'', "''")));
                let values = match self.values.is_empty() {
                    true => String::new(),
                    false => format!("({})", quoted.collect::<Vec<_>>().join(", ")),
                };
                let execute = simple(format!("EXECUTE q{values}"));
                let prepare = simple(format!("PREPARE q AS {}", self.sql));
                vec![prepare, execute.clone(), execute, Request::simple("DEALLOCATE ALL")]
            }
        };
        let Some(table) = &self.writes else {
            return main;
        };
        let mut all = vec![Request::simple("BEGIN")];
        all.extend(main);
        if !table.is_empty() {
            all.push(simple(format!("SELECT * FROM {table}")));
        }
        all.push(Request::simple("ROLLBACK"));
        all
    }
}

impl<'w> Checker<'w> {
    pub fn new(world: &'w World) -> Self {
        Self {
            world,
            sessions: HashMap::new(),
        }
    }

    fn session(&mut self, role: &str, writes: bool, place: Place) -> Result<&mut Session, String> {
        let key = (role.to_owned(), writes, place);
        let tail = if writes { "_written" } else { "" };
        if !self.sessions.contains_key(&key) {
            let session = match place {
                Place::Raw => self.world.proxied(role, &format!("raw{tail}")),
                Place::Twin => self.world.proxied(role, &format!("twin_{role}{tail}")),
                Place::Released(plan) => {
                    let options: Vec<String> = PLANS[plan]
                        .iter()
                        .map(|(n, v)| format!("-c {n}={}", v.replace(' ', "\\ ")))
                        .collect();
                    self.world
                        .released(role, &format!("released_{role}{tail}"), &options.join(" "))
                }
            };
            self.sessions.insert(key.clone(), session?);
        }
        Ok(self.sessions.get_mut(&key).unwrap())
    }

    fn run(&mut self, sent: &Sent, place: Place) -> Answer {
        let [answer] = self.run_at_once(sent, [place]);
        answer
    }

    /// In several places at a time, all requests of each in one go.
    fn run_at_once<const N: usize>(&mut self, sent: &Sent, places: [Place; N]) -> [Answer; N] {
        let requests = sent.requests();
        let writes = sent.writes.is_some();
        let begun = places.map(|place| self.session(&sent.role, writes, place)?.send(&requests));
        let mut places = places.iter();
        begun.map(|begun| {
            let place = *places.next().unwrap();
            let answer = match begun {
                Ok(()) => self.session(&sent.role, writes, place)?.answers(requests.len()),
                Err(error) => Err(error),
            };
            if answer.is_err() {
                self.sessions.remove(&(sent.role.clone(), writes, place));
            }
            answer
        })
    }

    pub fn check(&mut self, sent: &Sent) -> Verdict {
        let [raw, twin, released] = self.run_at_once(sent, [Place::Raw, Place::Twin, Place::Released(0)]);
        let (raw, twin) = match (raw, twin) {
            (Ok(raw), Ok(twin)) => (tidy(raw, sent), tidy(twin, sent)),
            (raw, twin) => {
                let told = format!("{:?}\n{:?}", raw.map(|m| show(&m)), twin.map(|m| show(&m)));
                return Verdict::Wrong(Wrong::Lost, told);
            }
        };
        if is_slow(&raw) || is_slow(&twin) {
            return Verdict::TooSlow;
        }
        if raw != twin {
            if let Some(verdict) = self.order_of_errors(sent, &raw, &twin) {
                return verdict;
            }
            if summed(&raw) == summed(&twin) {
                return Verdict::Explained("order of summation");
            }
            if sent.is_ordered && are_equal_but_for_scale(&raw, &twin) {
                return Verdict::Explained("equal numbers of another scale");
            }
            let told = format!("raw:      {}\ntwin:     {}", show(&raw), show(&twin));
            return Verdict::Wrong(Wrong::Interference, told);
        }
        if let Some((code, message)) = refusal(&raw) {
            return match code.as_str() {
                "not_verified" => Verdict::Wrong(Wrong::NotVerified, message),
                _ => Verdict::Refused(code, message),
            };
        }
        if sent.role == "stats" {
            // Small groups are left out: there is no relation that stands for that. What this purpose gets is held to
            // tell of nothing else here (above), and to be right in tests/core.
            return same(&raw);
        }
        self.compare(sent, &raw, Some(released))
    }

    /// Which error is met first, how many rows come before it, and whether one is met at all follows the plan, and that the
    /// sizes of tables; if both are what PostgreSQL says over the released relations, neither tells more. Where only one
    /// fails, a plan must be known under which each is so.
    fn order_of_errors(&mut self, sent: &Sent, raw: &[Message], twin: &[Message]) -> Option<Verdict> {
        let fails = |messages: &[Message]| messages.iter().any(|m| m.tag == b'E');
        if !(fails(raw) || fails(twin)) || refusal(raw).or(refusal(twin)).is_some() {
            return None;
        }
        let both_fail = fails(raw) && fails(twin);
        let is_right = |verdict| match verdict {
            Verdict::Wrong(..) => false,
            Verdict::Explained(why) => both_fail || why != IN_NO_PLAN,
            Verdict::Same(_) | Verdict::SameError(..) | Verdict::Refused(..) | Verdict::TooSlow => true,
        };
        let both = is_right(self.compare(sent, raw, None)) && is_right(self.compare(sent, twin, None));
        both.then_some(Verdict::Explained("order of errors"))
    }

    fn compare(&mut self, sent: &Sent, raw: &[Message], mut known: Option<Answer>) -> Verdict {
        let mut first = String::new();
        for (plan, settings) in PLANS.iter().enumerate() {
            let mut sent = sent.clone();
            if let Some(schema) = settings.iter().find_map(|(_, path)| path.strip_suffix(", public")) {
                sent.sql = sent
                    .sql
                    .replace("public.", &format!("{schema}."))
                    .replace("hr.", &format!("{schema}."));
            }
            if settings.first().is_some_and(|(_, value)| *value == "case") {
                let Some(text) = in_a_case(&sent) else { continue };
                sent.sql = text;
            }
            let released = match known.take().unwrap_or_else(|| self.run(&sent, Place::Released(plan))) {
                Ok(released) => tidy(released, &sent),
                Err(error) => return Verdict::Wrong(Wrong::Lost, format!("released: {error}")),
            };
            if plan == 0 && is_slow(&released) {
                return Verdict::TooSlow;
            }
            let (ours, theirs) = (self.plain(raw), self.plain(&released));
            if ours == theirs {
                return match plan {
                    0 => same(raw),
                    _ => Verdict::Explained("order of evaluation"),
                };
            }
            if rounded(&ours) == rounded(&theirs) {
                return Verdict::Explained("order of summation");
            }
            if plan == 0 {
                first = format!("raw:      {}\nreleased: {}", show(raw), show(&released));
            }
            if fails_by_value(raw) && fails_by_value(&released) {
                return Verdict::Explained("order of errors");
            }
            // Without an error on either side only one answer is right.
            if !raw.iter().chain(&released).any(|m| m.tag == b'E') {
                break;
            }
        }
        // PostgreSQL evaluates conditions in an order of its own: none of the plans above is that of the proxy's text.
        // What a hidden row does is held apart by the twin, to the byte.
        // What is released as NULL is so before a sub-query beside it is evaluated: one of too many rows is not met then.
        match [" E SERROR VERROR C22", " E SERROR VERROR C21"]
            .iter()
            .any(|error| first.contains(error))
        {
            true => Verdict::Explained(IN_NO_PLAN),
            false => Verdict::Wrong(Wrong::Inequivalence, first),
        }
    }

    /// What must be equal over the released relations: not where columns come from, nor what an error says.
    fn plain(&self, messages: &[Message]) -> Vec<String> {
        // How many rows come before an error is a matter of the plan.
        let failed = |at: usize| {
            let after = messages[at..].iter().find(|m| !is_row(m));
            is_row(&messages[at]) && after.is_some_and(|m| m.tag == b'E')
        };
        let told = messages
            .iter()
            .enumerate()
            .filter(|(i, m)| m.tag != b'N' && !failed(*i))
            .map(|(_, m)| match m.tag {
                b'E' => format!("error {}", m.field(b'C').unwrap_or_default()),
                b'T' => {
                    let columns =
                        m.columns()
                            .into_iter()
                            .map(|(name, oid)| match self.world.composites.contains(&oid) {
                                true => format!("{name} 2249"),
                                false => format!("{name} {oid}"),
                            });
                    columns.collect::<Vec<_>>().join(", ")
                }
                _ => m.readable(),
            });
        told.collect()
    }
}

/// A row of a result or of COPY.
fn is_row(message: &Message) -> bool {
    matches!(message.tag, b'D' | b'd')
}

fn same(messages: &[Message]) -> Verdict {
    match messages.iter().find(|m| m.tag == b'E') {
        Some(error) => {
            let field = |code| error.field(code).unwrap_or_default();
            Verdict::SameError(field(b'C'), field(b'M'))
        }
        None => Verdict::Same(messages.iter().filter(|m| is_row(m)).count()),
    }
}

/// Rows without an order in one that is the same for all.
fn tidy(mut messages: Vec<Message>, sent: &Sent) -> Vec<Message> {
    let is_ordered = sent.is_ordered && sent.writes.is_none();
    if !is_ordered {
        for rows in messages.chunk_by_mut(|a, b| is_row(a) && is_row(b)) {
            rows.sort();
        }
    }
    if let Mode::Temporary(_) = sent.mode {
        messages.iter_mut().for_each(Message::forget_origins);
    }
    messages
}

fn is_slow(messages: &[Message]) -> bool {
    let codes = messages.iter().filter(|m| m.tag == b'E').filter_map(|m| m.field(b'C'));
    codes
        .into_iter()
        .any(|c| c == "57014" || c == "53200" || c == "54000" || c == "54001")
}

/// The same rows, and in the same order if 1.0 is 1.00: which of equal values comes first is nobody's to say.
fn are_equal_but_for_scale(raw: &[Message], twin: &[Message]) -> bool {
    let lines = |messages: &[Message]| messages.iter().map(Message::readable).collect::<Vec<_>>();
    let (a, b) = (lines(raw), lines(twin));
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    let rounded = |lines: &[String]| lines.iter().map(|l| round_numbers(l)).collect::<Vec<_>>();
    sorted(&a) == sorted(&b) && rounded(&a) == rounded(&b)
}

/// With an error of class 22, data exception.
fn fails_by_value(messages: &[Message]) -> bool {
    let error = messages.iter().find(|m| m.tag == b'E').and_then(|m| m.field(b'C'));
    error.is_some_and(|state| state.starts_with("22"))
}

fn refusal(messages: &[Message]) -> Option<(String, String)> {
    let error = messages.iter().find(|m| m.tag == b'E')?;
    let message = error.field(b'M').unwrap_or_default();
    let code = error
        .field(b'n')
        .filter(|code| message.ends_with(&format!("({code})")))?;
    Some((code, message))
}

pub fn show(messages: &[Message]) -> String {
    let all: Vec<String> = messages
        .iter()
        .filter(|m| !matches!(m.tag, b'1' | b'2' | b'3' | b'Z' | b'n'))
        .map(Message::readable)
        .collect();
    let text = all.join("; ");
    text.chars().take(1500).collect()
}

/// Numbers to nine digits, without what distinguishes equal ones: sums of floats depend on the order, and which of
/// several equal numerics is shown too.
fn rounded(lines: &[String]) -> Vec<String> {
    let mut all: Vec<String> = lines.iter().map(|line| round_numbers(line)).collect();
    all.sort();
    all
}

/// The same with all floats of full length cut: the last digits of a sum depend on the order of the rows.
fn summed(messages: &[Message]) -> Vec<String> {
    let mut all: Vec<String> = messages.iter().map(|m| cut_numbers(&m.readable(), 15)).collect();
    all.sort();
    all
}

fn round_numbers(line: &str) -> String {
    cut_numbers(line, 0)
}

/// Numbers of so many digits or more to nine digits.
fn cut_numbers(line: &str, digits: usize) -> String {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
    let mut out = String::new();
    for piece in line.split_inclusive(|c: char| !is_part(c)) {
        let number = piece.trim_end_matches(|c: char| !is_part(c));
        let length = number.bytes().filter(u8::is_ascii_digit).count();
        match number.parse::<f64>() {
            Ok(value) if length >= digits => {
                out.push_str(&format!("{value:.9e}"));
                out.push_str(&piece[number.len()..]);
            }
            Ok(_) | Err(_) => out.push_str(piece),
        }
    }
    out
}

/// A write with its condition as one expression, which PostgreSQL does not take apart.
fn in_a_case(sent: &Sent) -> Option<String> {
    sent.writes.as_ref().filter(|_| !sent.sql.starts_with("MERGE"))?;
    let (head, tail) = sent.sql.split_once(" WHERE ")?;
    let (condition, returning) = tail.split_at(tail.rfind(" RETURNING ").unwrap_or(tail.len()));
    Some(format!(
        "{head} WHERE CASE WHEN pg_backend_pid() > 0 THEN {condition} END{returning}"
    ))
}
