//! What was sent to the server and is not answered yet, in order: tells what its answers mean.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::audit::Ticket;
use crate::pipeline::{Groups, PlannedStatement};
use crate::sql::Command;
use crate::wire::ErrorFields;
use crate::wire::frontend::Target;

use super::prepared::{Planned, Portal, Prepared};
use super::text::Text;

/// One execution of a statement, from its record to its completion.
#[derive(Debug)]
pub struct Running {
    /// What it does to the session.
    pub command: Command,
    /// The statement itself; none for an empty query.
    pub planned: Option<Planned>,
    /// Of EXECUTE and FETCH, the statement whose rows come back.
    pub rows_of: Option<Planned>,
    /// The portal or cursor that is read, whose rows are counted over all fetches.
    pub cursor: Option<Arc<Portal>>,
    /// The client's text.
    pub text: Option<Text>,
    /// Its record.
    pub ticket: Option<Ticket>,
    /// When it arrived.
    pub started: Instant,
    /// Rows that were forwarded.
    pub rows: u64,
    /// Bytes that were forwarded.
    pub bytes: u64,
    /// Groups of too few people that the server left out.
    pub left_out: u64,
    /// What becomes known by name when it completes.
    pub gives: Gives,
}

impl Running {
    /// The execution of an empty statement.
    pub fn nothing(started: Instant) -> Self {
        Self {
            command: Command::Select,
            planned: None,
            rows_of: None,
            cursor: None,
            text: None,
            ticket: None,
            started,
            rows: 0,
            bytes: 0,
            left_out: 0,
            gives: Gives::Nothing,
        }
    }
}

impl Running {
    /// The statements that it is, or reads from.
    fn statements(&self) -> impl Iterator<Item = &PlannedStatement> {
        let statements = [self.planned.as_ref(), self.rows_of.as_ref()];
        statements.into_iter().flatten().filter_map(Planned::statement)
    }

    /// The server tells of groups that it leaves out, which is not for the client.
    pub fn tells_of_groups(&self) -> bool {
        self.statements().any(|s| s.groups == Some(Groups::Counted))
    }

    /// What it tells is the number of those that this leaves out.
    pub fn counts_groups(&self) -> bool {
        let runs = match &self.command {
            Command::Declare { .. } | Command::Prepare { .. } | Command::Explain => false,
            _ => true, // with rows of a statistic, it runs one
        };
        runs && self.tells_of_groups()
    }

    /// How many rows its result may have, over all fetches; none: any number.
    pub fn most_rows(&self) -> Option<u64> {
        self.statements().filter_map(|s| s.max_rows).min()
    }

    /// How many more rows may be forwarded; none: any number.
    pub fn rows_left(&self) -> Option<u64> {
        let most = self.most_rows()?;
        let seen = self
            .cursor
            .as_ref()
            .map_or(self.rows, |c| c.rows.load(Ordering::Relaxed));
        Some(most.saturating_sub(seen))
    }

    /// Rows were forwarded.
    pub fn forwarded(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        if let Some(cursor) = &self.cursor {
            cursor.rows.fetch_add(rows, Ordering::Relaxed);
        }
    }
}

/// What a completed SQL command gives a name to.
#[derive(Debug, Clone)]
pub enum Gives {
    /// Nothing.
    Nothing,
    /// PREPARE
    Prepared(Arc<Prepared>),
    /// DECLARE
    Cursor(Arc<Portal>),
}

/// A message that was sent.
#[derive(Debug)]
pub enum What {
    /// Parse
    Parse {
        /// The client's name, or ours.
        name: String,
        /// What the name will mean; for a name of ours, what it is a variant of; none: it is sure to
        /// fail.
        statement: Option<Arc<Prepared>>,
        /// The table of names waits for the answer.
        named: bool,
    },
    /// Bind
    Bind(Arc<Portal>),
    /// Close
    Close {
        /// Of which kind of name.
        target: Target,
        /// The table of names waits for the answer.
        named: bool,
    },
    /// Describe of a statement
    DescribeStatement {
        /// The statement.
        planned: Planned,
        /// Whose rows it gives, if not its own.
        rows_of: Option<Planned>,
        /// The client's text.
        text: Text,
    },
    /// Describe of a portal
    DescribePortal(Arc<Portal>),
    /// Execute
    Execute(Box<Running>, Arc<Portal>),
    /// A simple query with these statements, those that are done taken off.
    Query(VecDeque<Running>),
    /// Sync
    Sync,
    /// A message of ours that sets the subject of the next statement.
    Subject(SubjectStep),
}

/// The messages of ours that set the subject of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectStep {
    /// Parse
    Parse,
    /// Bind
    Bind,
    /// Execute, and what it does to the settings.
    Execute(Command),
    /// Close of the portal or the statement.
    Close,
}

/// A message that was sent and is not answered yet.
#[derive(Debug)]
pub struct Sent {
    /// Which.
    pub what: What,
    /// It is ours: its answer is not the client's.
    pub own: bool,
    /// When it is answered, followed settings, names or the catalog may differ.
    pub changes: bool,
    /// It begins, ends or divides transactions.
    pub transactional: bool,
    /// It may turn the connection round for COPY FROM.
    pub copies_in: bool,
    /// It was sent in order to fail: this stands for the server's error.
    pub instead: Option<Box<ErrorFields>>,
    /// A simple query that failed: only its ReadyForQuery is to come.
    pub failed: bool,
    /// Its rows are counted (`max_rows`): what follows waits, since it may fail here and not at the server.
    pub counts: bool,
    /// It had more rows than it may have: what the server still sends of it is not the client's.
    pub over: Option<Over>,
    /// It fails in order that the server's transaction does: the client has the error already.
    pub silent: bool,
}

/// Where a message that has too many rows stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The client has its rows, not yet the error.
    Untold,
    /// The client has the error.
    Told,
}

impl Sent {
    /// A message of the client that changes nothing by itself.
    pub fn new(what: What) -> Self {
        Self {
            what,
            own: false,
            changes: false,
            transactional: false,
            copies_in: false,
            instead: None,
            failed: false,
            counts: false,
            over: None,
            silent: false,
        }
    }

    /// One of ours.
    #[must_use]
    pub fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// One that is sent in order to fail.
    #[must_use]
    pub fn failing(mut self, instead: ErrorFields) -> Self {
        self.instead = Some(Box::new(instead));
        self
    }

    /// One whose rows may be too many.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.counts = match &self.what {
            What::Execute(running, _) => running.most_rows().is_some(),
            What::Query(statements) => statements.iter().any(|running| running.most_rows().is_some()),
            What::Parse { .. }
            | What::Bind(_)
            | What::Close { .. }
            | What::DescribeStatement { .. }
            | What::DescribePortal(_)
            | What::Sync
            | What::Subject(_) => false,
        };
        self
    }

    /// One that runs these commands.
    #[must_use]
    pub fn running<'c>(mut self, commands: impl Iterator<Item = &'c Command>) -> Self {
        for command in commands {
            self.changes |= changes(command);
            self.transactional |= matches!(command, Command::Transaction(_));
            self.copies_in |= matches!(command, Command::CopyIn);
        }
        self
    }
}

/// Whether settings, names or the catalog may differ afterwards.
fn changes(command: &Command) -> bool {
    match command {
        Command::Prepare { .. }
        | Command::Deallocate(_)
        | Command::Declare { .. }
        | Command::Close(_)
        | Command::CreateAs
        | Command::Ddl => true,
        Command::Select
        | Command::Write
        | Command::SetConfig(_)
        | Command::Set(_)
        | Command::SetCharacteristics
        | Command::Reset(_)
        | Command::ResetAll
        | Command::Show(_)
        | Command::Transaction(_)
        | Command::Discard(_)
        | Command::Execute { .. }
        | Command::Fetch { .. }
        | Command::Explain
        | Command::Explanation
        | Command::CopyOut
        | Command::CopyIn
        | Command::Coordinate
        | Command::Refused => command.changes_settings(),
    }
}

/// The queue.
#[derive(Debug, Default)]
pub struct Responses {
    queue: VecDeque<Sent>,
    changes: usize,
    transactional: usize,
    copies_in: usize,
    counts: usize,
}

impl Responses {
    /// A message was sent.
    pub fn push(&mut self, sent: Sent) {
        self.changes += usize::from(sent.changes);
        self.transactional += usize::from(sent.transactional);
        self.copies_in += usize::from(sent.copies_in);
        self.counts += usize::from(sent.counts);
        self.queue.push_back(sent);
    }

    /// The oldest, which the server answers now.
    pub fn front(&mut self) -> Option<&mut Sent> {
        self.queue.front_mut()
    }

    /// The oldest is answered.
    pub fn pop(&mut self) -> Option<Sent> {
        let sent = self.queue.pop_front()?;
        self.changes -= usize::from(sent.changes);
        self.transactional -= usize::from(sent.transactional);
        self.copies_in -= usize::from(sent.copies_in);
        self.counts -= usize::from(sent.counts);
        Some(sent)
    }

    /// The oldest has turned the connection round; a simple query may do so again.
    pub fn copy_has_begun(&mut self) {
        let Some(sent) = self.queue.front_mut() else { return };
        let again = match &sent.what {
            What::Query(statements) => statements.iter().skip(1).any(|r| matches!(r.command, Command::CopyIn)),
            What::Parse { .. }
            | What::Bind(_)
            | What::Close { .. }
            | What::DescribeStatement { .. }
            | What::DescribePortal(_)
            | What::Execute(..)
            | What::Sync
            | What::Subject(_) => false,
        };
        if sent.copies_in && !again {
            sent.copies_in = false;
            self.copies_in -= 1;
        }
    }

    /// Nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Something under way may change what a statement means.
    pub fn may_change(&self) -> bool {
        self.changes > 0
    }

    /// Something under way begins, ends or divides transactions.
    pub fn may_divide(&self) -> bool {
        self.transactional > 0
    }

    /// Something under way may turn out to have too many rows.
    pub fn may_be_too_many(&self) -> bool {
        self.counts > 0
    }

    /// Something under way may ask the client for COPY data.
    pub fn may_copy_in(&self) -> bool {
        self.copies_in > 0
    }
}
