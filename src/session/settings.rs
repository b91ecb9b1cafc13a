//! The settings that the proxy follows, through transactions and savepoints, as PostgreSQL's `guc.c`
//! keeps them: a stack of older values per setting, pushed at the first change in each nesting
//! level, popped when the level ends.
//!
//! Pure. Knows what PostgreSQL confirmed (a command that completed, an error, a transaction status),
//! not how it was sent. Knows settings by name, not what they are good for.

use crate::sql::{Command, ConfigCall, ConfigValue, DiscardTarget, TransactionCommand};
use crate::wire::backend::TransactionStatus;

use super::search_path;

/// How a value came to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The default of the role, given at start-up by the proxy.
    RoleDefault,
    /// A start-up parameter or option of the client.
    Startup,
    /// SET, or set_config.
    Session,
    /// SET LOCAL, or set_config with `is_local`.
    Local,
}

/// A followed setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// `pgpurpose.purpose`
    Purpose,
    /// `pgpurpose.reason`
    Reason,
    /// `pgpurpose.subject`
    Subject,
    /// `pgpurpose.actor`
    Actor,
    /// `pgpurpose.statement_subject`: ours, for a subject in a tag.
    StatementSubject,
    /// `search_path`
    SearchPath,
    /// `client_encoding`: in which encoding texts come
    ClientEncoding,
    /// `client_min_messages`: which notices the server sends
    Messages,
}

impl Followed {
    /// All of them, in the order of [`Settings`]' variables.
    pub const ALL: [Self; 8] = [
        Self::Purpose,
        Self::Reason,
        Self::Subject,
        Self::Actor,
        Self::StatementSubject,
        Self::SearchPath,
        Self::ClientEncoding,
        Self::Messages,
    ];

    /// The setting of that name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// The setting's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Purpose => "pgpurpose.purpose",
            Self::Reason => "pgpurpose.reason",
            Self::Subject => "pgpurpose.subject",
            Self::Actor => "pgpurpose.actor",
            Self::StatementSubject => "pgpurpose.statement_subject",
            Self::SearchPath => "search_path",
            Self::ClientEncoding => "client_encoding",
            Self::Messages => "client_min_messages",
        }
    }
}

/// A value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// One text, or the entries of search_path.
    pub value: Vec<String>,
    /// How it came to be.
    pub source: Source,
}

impl Setting {
    /// A setting that holds one text.
    pub fn text(value: &str, source: Source) -> Self {
        Self {
            value: vec![value.to_owned()],
            source,
        }
    }

    /// The text; empty where there is none.
    pub fn as_text(&self) -> &str {
        self.value.first().map(String::as_str).unwrap_or_default()
    }
}

/// `GucStackState`
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Set,
    Local,
    /// SET, then SET LOCAL in the same level: at its end the SET value comes back.
    SetLocal {
        masked: Setting,
    },
}

/// `GucStack`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Level {
    nesting: usize,
    prior: Setting,
    change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    current: Setting,
    reset: Setting,
    stack: Vec<Level>,
}

impl Variable {
    fn new(initial: Setting) -> Self {
        Self {
            current: initial.clone(),
            reset: initial,
            stack: Vec::new(),
        }
    }

    /// `push_old_value`, then the new value.
    fn assign(&mut self, value: Setting, local: bool, nesting: usize) {
        match self.stack.last_mut() {
            Some(level) if level.nesting >= nesting => {
                level.change = match (std::mem::replace(&mut level.change, Change::Set), local) {
                    (_, false) => Change::Set,
                    (Change::Set, true) => Change::SetLocal {
                        masked: self.current.clone(),
                    },
                    (unchanged @ (Change::Local | Change::SetLocal { .. }), true) => unchanged,
                };
            }
            _ => self.stack.push(Level {
                nesting,
                prior: self.current.clone(),
                change: if local { Change::Local } else { Change::Set },
            }),
        }
        self.current = value;
    }

    /// `AtEOXact_GUC` for one variable.
    fn end_level(&mut self, commit: bool, nesting: usize) {
        while self.stack.last().is_some_and(|top| top.nesting >= nesting) {
            let Some(mut top) = self.stack.pop() else { return };
            if !commit {
                self.current = top.prior;
                continue;
            }
            if top.nesting == 1 {
                match top.change {
                    Change::Set => {}
                    Change::Local => self.current = top.prior,
                    Change::SetLocal { masked } => self.current = masked,
                }
                continue;
            }
            match self.stack.last_mut() {
                Some(below) if below.nesting == top.nesting - 1 => merge(below, top),
                _ => {
                    // The level below did not touch it: the entry becomes that level's.
                    top.nesting -= 1;
                    self.stack.push(top);
                }
            }
        }
    }
}

/// A level that ends well hands its change down.
fn merge(below: &mut Level, top: Level) {
    match top.change {
        Change::Set => below.change = Change::Set,
        Change::Local => {
            if below.change == Change::Set {
                below.change = Change::SetLocal { masked: top.prior };
            }
        }
        Change::SetLocal { masked } => below.change = Change::SetLocal { masked },
    }
}

/// Where a session stands as to transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Nothing has run since the last ReadyForQuery outside a block.
    None,
    /// A statement ran outside a block: its transaction ends at the next ReadyForQuery.
    Implicit,
    /// BEGIN
    Explicit,
    /// Failed, until ROLLBACK or ROLLBACK TO.
    Failed,
}

/// The followed settings, and the transaction they live in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    variables: [Variable; 8],
    block: Block,
    /// Names of savepoints, oldest first; the n-th, from 0, has nesting n + 2.
    savepoints: Vec<String>,
    /// Counts up whenever a value may have changed.
    version: u64,
}

/// The server says something that cannot be, by what we know: nothing is certain any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's transaction status is not what its answers tell")]
pub struct OutOfStep;

impl Settings {
    /// What a session starts with.
    pub fn new(initial: impl Fn(Followed) -> Setting) -> Self {
        Self {
            variables: Followed::ALL.map(|f| Variable::new(initial(f))),
            block: Block::None,
            savepoints: Vec::new(),
            version: 1,
        }
    }

    /// The same as long as no value changes. Copies count on their own.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The value in force.
    pub fn get(&self, setting: Followed) -> &Setting {
        let [
            purpose,
            reason,
            subject,
            actor,
            statement_subject,
            search_path,
            encoding,
            messages,
        ] = &self.variables;
        let variable = match setting {
            Followed::Purpose => purpose,
            Followed::Reason => reason,
            Followed::Subject => subject,
            Followed::Actor => actor,
            Followed::StatementSubject => statement_subject,
            Followed::SearchPath => search_path,
            Followed::ClientEncoding => encoding,
            Followed::Messages => messages,
        };
        &variable.current
    }

    /// Where the session stands.
    pub fn block(&self) -> Block {
        self.block
    }

    /// Something was set in a transaction outside a block, which the next ReadyForQuery ends.
    pub fn changes_at_sync(&self) -> bool {
        self.block == Block::Implicit && self.variables.iter().any(|v| !v.stack.is_empty())
    }

    /// `command` completed; `parameter` gives the text of a statement's n-th parameter, from 1.
    pub fn completed(&mut self, command: &Command, parameter: &dyn Fn(u16) -> Option<String>) {
        if self.block == Block::None {
            self.block = Block::Implicit;
        }
        match command {
            Command::Set(call) => self.set(call, parameter, true),
            Command::SetConfig(calls) => calls.iter().for_each(|call| self.set(call, parameter, false)),
            Command::Reset(name) => {
                if let Some(setting) = Followed::named(name) {
                    self.assign(setting, None, false);
                }
            }
            Command::ResetAll => self.reset_all(),
            // It commits at once, also in a pipeline, whatever fails behind it.
            Command::Discard(DiscardTarget::All) => {
                self.reset_all();
                self.end_transaction(true);
            }
            Command::Transaction(command) => self.transaction(command),
            Command::Select
            | Command::Write
            | Command::SetCharacteristics
            | Command::Show(_)
            | Command::Discard(DiscardTarget::Plans | DiscardTarget::Sequences | DiscardTarget::Temp)
            | Command::Prepare { .. }
            | Command::Execute { .. }
            | Command::Deallocate(_)
            | Command::Declare { .. }
            | Command::Fetch { .. }
            | Command::Close(_)
            | Command::Explain
            | Command::Explanation
            | Command::CopyOut
            | Command::CopyIn
            | Command::Coordinate
            | Command::CreateAs
            | Command::Ddl
            | Command::Refused => {}
        }
    }

    /// An ErrorResponse: what ran in the transaction, or since the savepoint, is undone.
    pub fn failed(&mut self) {
        match self.block {
            Block::None | Block::Failed => {}
            Block::Implicit => self.end_transaction(false),
            Block::Explicit => {
                self.end_levels(false, self.nesting());
                self.block = Block::Failed;
            }
        }
    }

    /// A ReadyForQuery.
    ///
    /// # Errors
    /// A block began or ended and no command said so.
    pub fn ready(&mut self, status: TransactionStatus) -> Result<(), OutOfStep> {
        match (status, self.block) {
            (TransactionStatus::Idle, Block::None)
            | (TransactionStatus::InTransaction, Block::Explicit)
            | (TransactionStatus::Failed, Block::Failed) => {}
            (TransactionStatus::Idle, Block::Implicit) => self.end_transaction(true),
            // A COMMIT that failed.
            (TransactionStatus::Idle, Block::Failed) => self.end_transaction(false),
            (TransactionStatus::Idle, Block::Explicit)
            | (TransactionStatus::InTransaction, Block::None | Block::Implicit | Block::Failed)
            | (TransactionStatus::Failed, Block::None | Block::Implicit | Block::Explicit) => return Err(OutOfStep),
        }
        Ok(())
    }

    fn nesting(&self) -> usize {
        self.savepoints.len() + 1
    }

    fn set(&mut self, call: &ConfigCall, parameter: &dyn Fn(u16) -> Option<String>, is_statement: bool) {
        let Some(setting) = Followed::named(&call.name) else {
            return;
        };
        let value = match &call.value {
            ConfigValue::Default => None,
            ConfigValue::List(values) => Some(values.clone()),
            // set_config(…, NULL, …) resets.
            ConfigValue::Parameter(n) => parameter(*n).map(|text| vec![text]),
        };
        let value = value.map(|texts| match (setting, is_statement) {
            // Each argument of SET is one name; set_config's one text is a list of them.
            (Followed::SearchPath, true) => texts.into_iter().map(search_path::cut).collect(),
            (Followed::SearchPath, false) => search_path::split(&texts.concat()).unwrap_or_default(),
            (
                Followed::Purpose
                | Followed::Reason
                | Followed::Subject
                | Followed::Actor
                | Followed::StatementSubject
                | Followed::ClientEncoding
                | Followed::Messages,
                _,
            ) => texts,
        });
        self.assign(setting, value, call.local);
    }

    /// `None` is the value of RESET.
    fn assign(&mut self, setting: Followed, value: Option<Vec<String>>, local: bool) {
        self.version += 1;
        let nesting = self.nesting();
        let [
            purpose,
            reason,
            subject,
            actor,
            statement_subject,
            search_path,
            encoding,
            messages,
        ] = &mut self.variables;
        let variable = match setting {
            Followed::Purpose => purpose,
            Followed::Reason => reason,
            Followed::Subject => subject,
            Followed::Actor => actor,
            Followed::StatementSubject => statement_subject,
            Followed::SearchPath => search_path,
            Followed::ClientEncoding => encoding,
            Followed::Messages => messages,
        };
        let new = match value {
            None => variable.reset.clone(),
            Some(value) => Setting {
                value,
                source: if local { Source::Local } else { Source::Session },
            },
        };
        variable.assign(new, local, nesting);
    }

    fn reset_all(&mut self) {
        self.version += 1;
        let nesting = self.nesting();
        for variable in &mut self.variables {
            if variable.current != variable.reset {
                let reset = variable.reset.clone();
                variable.assign(reset, false, nesting);
            }
        }
    }

    fn transaction(&mut self, command: &TransactionCommand) {
        match command {
            TransactionCommand::Begin => match self.block {
                Block::None | Block::Implicit => self.block = Block::Explicit,
                Block::Explicit | Block::Failed => {}
            },
            TransactionCommand::Commit { chain } => {
                let commit = self.block != Block::Failed;
                self.end_transaction(commit);
                self.chain(*chain);
            }
            TransactionCommand::Rollback { chain } => {
                self.end_transaction(false);
                self.chain(*chain);
            }
            // Of a failed transaction it is a ROLLBACK.
            TransactionCommand::Prepare => self.end_transaction(self.block != Block::Failed),
            TransactionCommand::FinishPrepared => {}
            TransactionCommand::Savepoint(name) => self.savepoints.push(name.clone()),
            TransactionCommand::Release(name) => {
                if let Some(index) = self.savepoint(name) {
                    self.end_levels(true, index + 2);
                    self.savepoints.truncate(index);
                }
            }
            TransactionCommand::RollbackTo(name) => {
                if let Some(index) = self.savepoint(name) {
                    self.end_levels(false, index + 2);
                    self.savepoints.truncate(index + 1);
                    self.block = Block::Explicit;
                }
            }
        }
    }

    fn chain(&mut self, chain: bool) {
        if chain {
            self.block = Block::Explicit;
        }
    }

    /// The innermost savepoint of that name.
    fn savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|s| s == name)
    }

    /// Ends all levels from the innermost down to `nesting`, one by one, as PostgreSQL does.
    fn end_levels(&mut self, commit: bool, nesting: usize) {
        if self.variables.iter().all(|variable| variable.stack.is_empty()) {
            return;
        }
        self.version += 1;
        for level in (nesting..=self.nesting()).rev() {
            for variable in &mut self.variables {
                variable.end_level(commit, level);
            }
        }
    }

    fn end_transaction(&mut self, commit: bool) {
        self.end_levels(commit, 1);
        self.savepoints.clear();
        self.block = Block::None;
    }
}

#[cfg(test)]
mod tests;
