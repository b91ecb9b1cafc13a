//! Edits: what a plan changes in a text, as a closed set of kinds, and their application to bytes.
//!
//! The outgoing text is the client's text with pieces replaced; it is never printed from a tree. The
//! gate applies the same edits to the tree of the client's text, with code of its own.

use std::ops::Range;

use crate::catalog::QualifiedName;
use crate::sql::PositionMap;

/// The name of the column in which a released relation carries its data subject's stored key.
pub const SUBJECT_COLUMN: &str = "pgpurpose subject";

/// A generated sub-select, and what the gate holds it against.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The SELECT, without parentheses.
    pub text: String,
    /// What it must be.
    pub check: FragmentCheck,
}

/// What a fragment must be.
#[derive(Debug, Clone)]
pub enum FragmentCheck {
    /// The released relation of a table.
    Table {
        /// The table, which alone may stand in its FROM.
        relation: QualifiedName,
        /// `ONLY`
        only: bool,
        /// Its output columns, in order: name, whether it is the stored value, and what it was decided to be.
        columns: Vec<(String, ColumnShape, String)>,
        /// The conditions that its WHERE joins.
        conditions: Vec<String>,
        /// Nothing of what reads it may run before its conditions.
        fenced: bool,
    },
    /// A view's definition with edits of its own.
    View {
        /// The definition.
        source: String,
        /// The edits.
        plan: Edits,
        /// It is wrapped in a fence.
        fenced: bool,
    },
}

/// The shape of a released column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnShape {
    /// The column itself.
    Raw,
    /// A typed NULL.
    Null,
    /// An expression of no other column unless a condition on the data subject needs it.
    Expression,
    /// The stored key of the data subject, under the name that only generated text uses.
    Subject,
}

/// What an edit does.
#[derive(Debug, Clone)]
pub enum EditKind {
    /// A relation becomes a sub-select, under the name the query knows it by.
    Relation {
        /// `RangeVar.location`
        location: usize,
        /// The sub-select.
        fragment: Fragment,
        /// The alias to add, where the text has none.
        alias: Option<String>,
    },
    /// `COPY table` becomes `COPY (query)`.
    CopyQuery {
        /// The query: columns of the table's sub-select.
        fragment: Fragment,
        /// The query's text.
        query: String,
    },
    /// A relation's name gets its schema.
    QualifyRelation {
        /// `RangeVar.location`
        location: usize,
        /// The schema.
        schema: String,
    },
    /// A function's name gets its schema.
    QualifyFunction {
        /// `FuncCall.location`
        location: usize,
        /// The schema.
        schema: String,
    },
    /// A type's name gets its schema.
    QualifyType {
        /// `TypeName.location`
        location: usize,
        /// The schema.
        schema: String,
    },
    /// Columns are added to GROUP BY.
    GroupBy {
        /// The place of the element before which they go.
        location: usize,
        /// Table and column, as the query knows them.
        columns: Vec<(String, String)>,
    },
    /// `schema.table.column` loses its first parts.
    Shorten {
        /// `ColumnRef.location`
        location: usize,
        /// How many.
        drop: usize,
    },
    /// A column of a write's target becomes its released form.
    Column {
        /// `ColumnRef.location`
        location: usize,
        /// The expression.
        expression: String,
        /// The output name added behind it.
        name: Option<String>,
    },
    /// A star over a write's target is spelled out.
    Star {
        /// `ColumnRef.location`
        location: usize,
        /// The output list.
        list: String,
    },
    /// A write's condition goes into CASE, behind the row filter: the text before it.
    CaseOpen {
        /// `RangeVar.location` of the write's target.
        target: usize,
        /// The row filter.
        filter: String,
    },
    /// The text behind it.
    CaseClose {
        /// `RangeVar.location` of the write's target.
        target: usize,
        /// Conjuncts on raw columns, copied outside so that indexes serve.
        copied: Option<String>,
    },
    /// A write without WHERE gets the row filter.
    Where {
        /// `RangeVar.location` of the write's target.
        target: usize,
        /// The row filter.
        filter: String,
    },
    /// A SELECT goes into another one: the text before it.
    WrapOpen(Wrapper),
    /// The text behind it.
    WrapClose(Wrapper),
    /// A SELECT without HAVING gets one: groups must be large enough.
    Having {
        /// Which SELECT: the place of its first output.
        select: usize,
        /// The condition on the group's size.
        size: String,
    },
    /// HAVING goes into CASE, behind the condition on the group's size: the text before it.
    HavingOpen {
        /// Which SELECT: the place of its first output.
        select: usize,
        /// The condition on the group's size.
        size: String,
    },
    /// The text behind it.
    HavingClose {
        /// Which SELECT: the place of its first output.
        select: usize,
        /// What stands for a group that is too small.
        otherwise: Option<String>,
    },
    /// A sub-query in FROM gets outputs: its rows' people.
    Outputs {
        /// Which SELECT: the place of its first output.
        select: usize,
        /// What is added to its list.
        list: String,
    },
    /// A sub-query gets OFFSET 0: what reads it runs behind it.
    Fence {
        /// Which SELECT: the place of its first output; of a UNION, of its first part's.
        select: usize,
    },
    /// A value to be stored is checked first: the text before it.
    CheckOpen {
        /// `RangeVar.location` of the write's target.
        target: usize,
        /// Which value.
        place: CheckPlace,
        /// That text.
        before: String,
        /// The text behind the value.
        after: String,
    },
    /// The text behind it.
    CheckClose {
        /// `RangeVar.location` of the write's target.
        target: usize,
        /// Which value.
        place: CheckPlace,
    },
    /// A call becomes an expression over its first argument: the text before that.
    PrinterOpen {
        /// `FuncCall.location`
        location: usize,
        /// That text.
        before: String,
        /// The text behind the argument.
        after: String,
    },
    /// The text behind it.
    PrinterClose {
        /// `FuncCall.location`
        location: usize,
    },
    /// A prepared statement's name of ours.
    PreparedName {
        /// The name.
        name: String,
    },
    /// SHOW of a setting of ours becomes a SELECT.
    Show {
        /// The SELECT.
        select: String,
    },
}

/// A SELECT around another one, which keeps its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapper {
    /// One row of NULLs where there is none, a whole that is too small: around the SELECT whose first output
    /// is there.
    Whole(usize),
    /// No more rows than these, of the outermost.
    Rows(u64),
}

impl Wrapper {
    /// The text before the SELECT and the text behind it.
    pub fn texts(self) -> (String, String) {
        match self {
            Self::Whole(_) => (
                "SELECT \"pgpurpose whole\".* FROM (SELECT) AS \"pgpurpose one\" LEFT JOIN (".to_owned(),
                ") AS \"pgpurpose whole\" ON true".to_owned(),
            ),
            Self::Rows(rows) => (
                "SELECT * FROM (".to_owned(),
                format!(") AS \"pgpurpose rows\" LIMIT {rows}"),
            ),
        }
    }
}

/// A value that the outermost write stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckPlace {
    /// Of INSERT … VALUES.
    Value {
        /// Which row.
        row: usize,
        /// Which item of it.
        item: usize,
    },
    /// Of INSERT … SELECT.
    Output {
        /// Which output column.
        item: usize,
    },
    /// Of UPDATE … SET.
    Set {
        /// The column assigned.
        column: String,
    },
}

/// One replacement.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The bytes replaced.
    pub range: Range<usize>,
    /// What stands there instead.
    pub text: String,
    /// What it means.
    pub kind: EditKind,
}

/// The edits of one text, and the relations that stay as they are.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// In any order; none overlap.
    pub edits: Vec<Edit>,
    /// Relations whose name stays or only gets its schema: `RangeVar.location` and full name.
    pub as_is: Vec<(usize, QualifiedName)>,
    /// The statement goes out as it came, whatever it names (`mode: observe`): there are no edits.
    pub unchanged: bool,
}

impl Edits {
    /// Of a statement that goes out as it came.
    pub fn none() -> Self {
        Self {
            unchanged: true,
            ..Self::default()
        }
    }

    /// Notes an edit.
    pub fn push(&mut self, range: Range<usize>, text: impl Into<String>, kind: EditKind) {
        self.edits.push(Edit {
            range,
            text: text.into(),
            kind,
        });
    }

    /// A part of the text with the edits made that lie in it. `None` where two overlap.
    pub fn apply_within(&self, text: &str, range: Range<usize>) -> Option<String> {
        let inside = |e: &&Edit| range.start <= e.range.start && e.range.end <= range.end;
        let edits = self.edits.iter().filter(inside).map(|e| Edit {
            range: e.range.start - range.start..e.range.end - range.start,
            ..e.clone()
        });
        let edits = Self {
            edits: edits.collect(),
            ..Self::default()
        };
        Some(edits.apply(text.get(range)?)?.0)
    }

    /// The text with the edits made, and the way back for positions. `None` where two overlap.
    pub fn apply(&self, text: &str) -> Option<(String, PositionMap)> {
        let mut order: Vec<&Edit> = self.edits.iter().collect();
        order.sort_by_key(|e| (e.range.start, e.range.end));
        let mut out = String::with_capacity(text.len() + order.iter().map(|e| e.text.len()).sum::<usize>());
        let mut map = Vec::with_capacity(order.len());
        let mut at = 0;
        for edit in order {
            out.push_str(text.get(at..edit.range.start)?);
            let start = out.len();
            out.push_str(&edit.text);
            map.push((start, out.len(), edit.range.start, edit.range.end));
            at = edit.range.end;
        }
        out.push_str(text.get(at..)?);
        Some((out, PositionMap::new(map)))
    }
}
