//! What a statement does to the session, told from its tree alone.

/// A cursor or prepared statement's name; `None` is ALL.
pub type CursorName = Option<String>;

/// A value given to a setting, from SET or set_config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// This text (several SET arguments are kept apart: entries of search_path).
    List(Vec<String>),
    /// DEFAULT
    Default,
    /// The n-th parameter of the statement, from 1: known at Bind.
    Parameter(u16),
}

/// One change of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigCall {
    /// Setting, folded to lower case.
    pub name: String,
    /// New value.
    pub value: ConfigValue,
    /// SET LOCAL, or `is_local`.
    pub local: bool,
}

/// Transaction control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionCommand {
    /// BEGIN, START TRANSACTION
    Begin,
    /// COMMIT, END
    Commit {
        /// AND CHAIN
        chain: bool,
    },
    /// ROLLBACK, ABORT
    Rollback {
        /// AND CHAIN
        chain: bool,
    },
    /// SAVEPOINT
    Savepoint(String),
    /// RELEASE
    Release(String),
    /// ROLLBACK TO
    RollbackTo(String),
    /// PREPARE TRANSACTION: ends it for this session, settings as by COMMIT (`PrepareTransaction`, xact.c).
    Prepare,
    /// COMMIT PREPARED, ROLLBACK PREPARED: another transaction, perhaps another session's.
    FinishPrepared,
}

/// DISCARD
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardTarget {
    /// DISCARD ALL
    All,
    /// DISCARD PLANS
    Plans,
    /// DISCARD SEQUENCES
    Sequences,
    /// DISCARD TEMP
    Temp,
}

/// What a statement does to the session when it completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// SELECT, VALUES, TABLE: changes nothing of the session.
    Select,
    /// INSERT, UPDATE, DELETE, MERGE.
    Write,
    /// SELECT set_config(…) without FROM: takes effect when the server says that it completed.
    SetConfig(Vec<ConfigCall>),
    /// SET, SET LOCAL.
    Set(ConfigCall),
    /// SET TRANSACTION, SET SESSION CHARACTERISTICS, SET CONSTRAINTS, UNLISTEN: nothing that we follow.
    SetCharacteristics,
    /// RESET name
    Reset(String),
    /// RESET ALL
    ResetAll,
    /// SHOW name
    Show(String),
    /// BEGIN … ROLLBACK TO
    Transaction(TransactionCommand),
    /// DISCARD
    Discard(DiscardTarget),
    /// PREPARE name AS …: `statement` is the byte range of the inner statement in the text.
    Prepare {
        /// Its name.
        name: String,
    },
    /// EXECUTE name
    Execute {
        /// Its name.
        name: String,
    },
    /// DEALLOCATE name | ALL
    Deallocate(CursorName),
    /// DECLARE name CURSOR
    Declare {
        /// Its name.
        name: String,
        /// WITH HOLD: outlives the transaction.
        hold: bool,
    },
    /// FETCH or MOVE
    Fetch {
        /// Its name.
        name: String,
    },
    /// CLOSE name | ALL
    Close(CursorName),
    /// EXPLAIN
    Explain,
    /// COPY … TO STDOUT
    CopyOut,
    /// COPY … FROM STDIN
    CopyIn,
    /// LISTEN, NOTIFY, LOCK: agreements between sessions.
    Coordinate,
    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW: a new relation of a query's rows.
    CreateAs,
    /// Anything else that changes the catalog.
    Ddl,
    /// A statement that is always refused; examined only to say why.
    Refused,
}

impl Command {
    /// Transaction control, SET/RESET/SHOW, DISCARD, DEALLOCATE and CLOSE need no admission
    /// (policy.md section 4).
    pub const fn needs_admission(&self) -> bool {
        match self {
            Self::Set(_)
            | Self::SetCharacteristics
            | Self::Reset(_)
            | Self::ResetAll
            | Self::Show(_)
            | Self::Transaction(_)
            | Self::Discard(_)
            | Self::Deallocate(_)
            | Self::Close(_) => false,
            Self::Select
            | Self::Write
            | Self::SetConfig(_)
            | Self::Prepare { .. }
            | Self::Execute { .. }
            | Self::Declare { .. }
            | Self::Fetch { .. }
            | Self::Explain
            | Self::CopyOut
            | Self::CopyIn
            | Self::Coordinate
            | Self::CreateAs
            | Self::Ddl
            | Self::Refused => true,
        }
    }

    /// Whether settings that the proxy follows (purpose, search_path) may differ afterwards, so that
    /// later messages of a pipeline wait for its completion.
    pub const fn changes_settings(&self) -> bool {
        match self {
            Self::Set(_) | Self::SetConfig(_) | Self::Reset(_) | Self::ResetAll | Self::Discard(_) => true,
            Self::Transaction(t) => match t {
                TransactionCommand::Commit { .. }
                | TransactionCommand::Rollback { .. }
                | TransactionCommand::RollbackTo(_)
                | TransactionCommand::Prepare => true,
                TransactionCommand::FinishPrepared
                | TransactionCommand::Begin
                | TransactionCommand::Savepoint(_)
                | TransactionCommand::Release(_) => false,
            },
            Self::CreateAs | Self::Ddl => true,
            Self::Select
            | Self::Write
            | Self::SetCharacteristics
            | Self::Show(_)
            | Self::Prepare { .. }
            | Self::Execute { .. }
            | Self::Deallocate(_)
            | Self::Declare { .. }
            | Self::Fetch { .. }
            | Self::Close(_)
            | Self::Explain
            | Self::CopyOut
            | Self::CopyIn
            | Self::Coordinate
            | Self::Refused => false,
        }
    }
}
