//! Random statements that PostgreSQL accepts, of all kinds that read or change rows.
//!
//! What a statement gives does not depend on the plan, unless it fails: LIMIT stands only where all output columns
//! are sorted by, windows that count rows sort by keys, aggregates whose order shows have one of their own.

mod expression;
mod query;
mod select;
mod source;
mod statistics;
mod templates;
mod write;

use crate::node;
use crate::random::Random;
use crate::tree::{Node, Sort};
use crate::types::Type;
use crate::world::Table;

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Simple,
    Extended {
        parameters: bool,
        binary: bool,
    },
    /// Execute with a row limit, so many times.
    Portal {
        rows: u32,
        executes: usize,
    },
    /// DECLARE, FETCH, MOVE, in one of several ways.
    Cursor(usize),
    /// PREPARE and EXECUTE, twice.
    Prepared {
        parameters: bool,
    },
    /// COPY of a query TO STDOUT, in one of several formats.
    Copy(usize),
    /// Into a temporary table, which is then read, in one of several ways.
    Temporary(usize),
    /// After another of the same shape, whose plan it may share.
    Again,
}

/// How a query is read by a cursor; the last way needs no order.
pub const CURSORS: [&[&str]; 5] = [
    &[
        "BEGIN",
        "DECLARE q SCROLL CURSOR FOR {}",
        "FETCH 2 FROM q",
        "MOVE BACKWARD 1 FROM q",
        "FETCH ALL FROM q",
        "ROLLBACK",
    ],
    &[
        "BEGIN",
        "DECLARE q NO SCROLL CURSOR FOR {}",
        "FETCH FORWARD 3 FROM q",
        "FETCH q",
        "SAVEPOINT s",
        "FETCH ALL IN q",
        "ROLLBACK TO s",
        "CLOSE q",
        "COMMIT",
    ],
    &[
        "BEGIN",
        "DECLARE q BINARY INSENSITIVE SCROLL CURSOR FOR {}",
        "FETCH LAST FROM q",
        "FETCH PRIOR FROM q",
        "FETCH ABSOLUTE 2 FROM q",
        "FETCH RELATIVE -1 FROM q",
        "MOVE FORWARD ALL IN q",
        "FETCH BACKWARD ALL FROM q",
        "ROLLBACK",
    ],
    &[
        "BEGIN",
        "DECLARE q CURSOR WITH HOLD FOR {}",
        "FETCH 1 FROM q",
        "COMMIT",
        "FETCH 2 FROM q",
        "FETCH ALL FROM q",
        "CLOSE ALL",
    ],
    &[
        "BEGIN",
        "DECLARE q ASENSITIVE CURSOR WITH HOLD FOR {}",
        "COMMIT",
        "FETCH ALL FROM q",
        "CLOSE q",
    ],
];

/// Formats of COPY; the last needs an order.
pub const COPIES: [&str; 5] = [
    "",
    " WITH (FORMAT csv, HEADER)",
    " WITH (DELIMITER '|', NULL 'none')",
    " CSV FORCE QUOTE *",
    " WITH (FORMAT binary)",
];

/// How a query is stored in a temporary table and read again.
pub const TEMPORARIES: [&[&str]; 4] = [
    &["BEGIN", "CREATE TEMP TABLE q AS {}", "SELECT * FROM q", "ROLLBACK"],
    &["BEGIN", "SELECT * INTO TEMP q FROM ({}) AS s", "TABLE q", "ROLLBACK"],
    &[
        "BEGIN",
        "CREATE TEMP TABLE q AS {} WITH NO DATA",
        "INSERT INTO q {}",
        "SELECT q::text, count(*) FROM q GROUP BY 1",
        "DROP TABLE q",
        "COMMIT",
    ],
    &[
        "BEGIN",
        "CREATE TEMP TABLE q ON COMMIT DROP AS {}",
        "COPY q TO STDOUT",
        "SELECT * FROM q UNION ALL SELECT * FROM pg_temp.q",
        "COMMIT",
        "SELECT * FROM q",
    ],
];

/// A statement with all that is needed to run and judge it.
#[derive(Debug, Clone)]
pub struct Statement {
    pub tree: Node,
    pub mode: Mode,
    /// The order of its rows is its own.
    pub is_ordered: bool,
    /// The table that it changes, looked at afterwards.
    pub writes: Option<String>,
}

/// What a FROM item gives to the clauses around it.
#[derive(Debug, Clone)]
struct Relation {
    /// As SQL names it; none where a join hides it.
    alias: String,
    columns: Vec<(String, Type)>,
    kind: Kind,
    /// Its columns have other names than those of its row.
    is_renamed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A table whose column `id` is its key.
    Keyed,
    Rows,
    /// A function of one column: its name is that of a value, not of a row.
    Scalar,
}

/// Names that an expression can use.
#[derive(Clone, Copy)]
struct Scope<'s> {
    relations: &'s [Relation],
    outer: Option<&'s Scope<'s>>,
    /// Where given, what an expression can be made of instead of columns: what is grouped by.
    groups: Option<&'s [(Type, Node)]>,
    aggregates: bool,
    windows: bool,
}

impl<'s> Scope<'s> {
    fn of(relations: &'s [Relation], outer: Option<&'s Scope<'s>>) -> Self {
        Scope {
            relations,
            outer,
            groups: None,
            aggregates: false,
            windows: false,
        }
    }

    /// For expressions below an aggregate or in a WHERE.
    fn plain(self) -> Self {
        Scope {
            groups: None,
            aggregates: false,
            windows: false,
            ..self
        }
    }
}

pub struct Grammar<'w> {
    random: Random,
    tables: &'w [Table],
    role: &'w str,
    /// Counts names up.
    names: usize,
    /// How many tables may still be read.
    budget: usize,
    /// Expressions that can fail are made too.
    partial: bool,
    /// So are those that fail in hidden rows.
    traps: bool,
    /// Only columns of no sensitivity are read: what they give may be stored anywhere.
    free: bool,
    /// Relations of WITH that can be read.
    with: Vec<Relation>,
}

impl<'w> Grammar<'w> {
    pub fn new(random: Random, tables: &'w [Table], role: &'w str) -> Self {
        Self {
            random,
            tables,
            role,
            names: 0,
            budget: 5,
            partial: false,
            traps: false,
            free: false,
            with: Vec::new(),
        }
    }

    /// The statement of this seed.
    pub fn statement(mut self) -> Statement {
        self.partial = self.random.percent(20);
        self.traps = self.random.percent(35);
        self.budget = 2 + self.random.below(4);
        if self.role == "stats" && self.random.percent(90) {
            return self.statistics();
        }
        if self.random.percent(if self.may_write() { 14 } else { 1 }) {
            return self.write();
        }
        if self.random.percent(3) {
            return self.locking();
        }
        if self.random.percent(1) {
            return self.copy_of_table();
        }
        self.free = self.random.percent(5);
        let wants_order = self.random.percent(35);
        let depth = 1 + self.random.below(3);
        let query = self.query(None, None, depth, wants_order);
        let is_ordered = query.is_ordered;
        let mode = match self.free {
            true => Mode::Temporary(self.random.below(TEMPORARIES.len())),
            false => self.mode(is_ordered),
        };
        Statement {
            tree: query.node,
            mode,
            is_ordered,
            writes: None,
        }
    }

    /// FOR UPDATE and its like, of tables.
    fn locking(mut self) -> Statement {
        let (from, relations) = self.plain_tables();
        let scope = Scope::of(&relations, None);
        let condition = self.where_clause(&scope, 2);
        let of = self.type_of();
        let value = self.expression(of, &scope, 2);
        let lock = *self.random.of_slice(&["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"]);
        let tail = match self.random.below(3) {
            0 => format!(" FOR {lock} OF {}", relations[0].alias),
            1 => format!(" FOR {lock} SKIP LOCKED"),
            _ => format!(" FOR {lock}"),
        };
        let mode = self.mode(false);
        Statement {
            tree: node!(Sort::Fixed; "SELECT ", value, from, condition, tail),
            mode,
            is_ordered: false,
            writes: None,
        }
    }

    fn copy_of_table(mut self) -> Statement {
        let mut table = self.table();
        // Before 18 PostgreSQL has no COPY of a partitioned table; through the proxy it is one of its rows.
        if table.name == "visits" {
            "visits_old".clone_into(&mut table.name);
        }
        let columns = table.columns.iter().filter(|_| self.random.percent(50));
        let columns: Vec<&str> = columns.map(|(name, _)| name.as_str()).collect();
        let list = match columns.is_empty() || self.random.percent(50) {
            true => String::new(),
            false => format!(" ({})", columns.join(", ")),
        };
        let format = COPIES[self.random.below(COPIES.len() - 1)];
        Statement {
            tree: node!(Sort::Fixed; format!("COPY {}{list} TO STDOUT{format}", table.name)),
            mode: Mode::Simple,
            is_ordered: false,
            writes: None,
        }
    }

    fn may_write(&self) -> bool {
        !matches!(self.role, "research" | "stats")
    }

    fn mode(&mut self, is_ordered: bool) -> Mode {
        let (parameters, binary) = (self.random.percent(60), self.random.percent(30));
        let rows = 1 + self.random.below(9) as u32;
        let executes = 1 + self.random.below(3);
        // The last format has a header that belongs to the first row; the last cursor fetches all at once.
        let formats = COPIES.len() - usize::from(!is_ordered);
        let cursor = match is_ordered {
            true => self.random.below(CURSORS.len()),
            false => CURSORS.len() - 1,
        };
        match self.random.below(20) {
            0..=7 => Mode::Simple,
            8..=9 => Mode::Again,
            10..=12 => Mode::Extended { parameters, binary },
            13 if is_ordered => Mode::Portal { rows, executes },
            14..=15 => Mode::Cursor(cursor),
            16..=17 => Mode::Prepared { parameters },
            18 => Mode::Copy(self.random.below(formats)),
            _ => Mode::Extended { parameters, binary },
        }
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        // Now and then one that needs quotes, or that is also a table's.
        match self.random.below(60) {
            0 => format!("\"{prefix} \"\"{}\"", self.names),
            1 => format!("\"{}É\"", prefix.to_uppercase().to_owned() + &self.names.to_string()),
            _ => format!("{prefix}{}", self.names),
        }
    }

    fn type_of(&mut self) -> Type {
        const COMMON: [Type; 8] = [
            Type::Int,
            Type::Text,
            Type::Text,
            Type::Int,
            Type::Numeric,
            Type::Date,
            Type::Bool,
            Type::Text,
        ];
        match self.random.percent(60) {
            true => *self.random.of_slice(&COMMON),
            false => *self.random.of_slice(&Type::ALL),
        }
    }

    fn ordered_type(&mut self) -> Type {
        let found = self.type_of();
        if found.is_ordered() { found } else { Type::Jsonb }
    }
}
