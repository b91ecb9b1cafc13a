//! A message's text as PostgreSQL's own grammar reads it: statements with their byte spans, and what
//! each does to the session.
//!
//! Knows no catalog and no purpose. The grammar is libpg_query's, of PostgreSQL 18; where an older
//! server reads a text otherwise it can only refuse it.

use std::ops::Range;

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::command::{Command, ConfigCall, ConfigValue, DiscardTarget, TransactionCommand};
use super::grammar::{Edit, Editor, Kind, Tree, TreeMut};
use super::lexer;
use super::nesting::{MAX_NESTING, nesting};

/// The longest text that is examined, in bytes; longer ones are refused.
pub const MAX_TEXT: usize = 1 << 20;

/// One statement of a message.
#[derive(Debug, Clone)]
pub struct ParsedStatement {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// Its tree; empty places are marked so that no node is empty.
    pub(crate) node: pb::Node,
    /// What it does to the session.
    pub command: Command,
    /// Why it is always refused, if it is.
    pub refused: Option<String>,
}

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// PostgreSQL's own message.
    pub message: String,
    /// Byte offset, where it can be told.
    pub position: Option<usize>,
    /// PostgreSQL's SQLSTATE for it.
    pub sqlstate: &'static str,
}

/// Reads a text.
///
/// # Errors
/// What PostgreSQL's grammar refuses, and what is too large.
pub fn parse(text: &str) -> Result<Vec<ParsedStatement>, SyntaxError> {
    if text.len() <= MAX_TEXT && nesting(text, &tokens(text)?) > MAX_NESTING {
        let message = "stack depth limit exceeded".into();
        return Err(SyntaxError {
            message,
            position: None,
            sqlstate: "54001",
        });
    }
    let stmts = raw_parse(text)?;
    let mut statements = Vec::with_capacity(stmts.len());
    for raw in stmts {
        let span = span_of(&raw, text.len());
        let mut node = raw.stmt.map(|n| *n).unwrap_or_default();
        // The walk finds nodes that are not in the table; the decision says so when it gets there.
        let readable = node.edit(&mut MarkEmpty);
        let (command, mut refused) = command_of(&node);
        if let (Err(unknown), None, false) = (readable, &refused, command == Command::Ddl) {
            refused = Some(format!("{} is not understood", unknown.0));
        }
        statements.push(ParsedStatement {
            span,
            node,
            command,
            refused,
        });
    }
    Ok(statements)
}

/// The bytes of a statement in a text of so many.
pub(crate) fn span_of(raw: &pb::RawStmt, length: usize) -> Range<usize> {
    let start = usize::try_from(raw.stmt_location).unwrap_or(0);
    match usize::try_from(raw.stmt_len) {
        Ok(0) | Err(_) => start..length,
        Ok(len) => start..start + len,
    }
}

/// Parses with PostgreSQL's grammar.
///
/// # Errors
/// What the grammar refuses, and what is too large.
pub(crate) fn raw_parse(text: &str) -> Result<Vec<pb::RawStmt>, SyntaxError> {
    if text.len() > MAX_TEXT {
        let message = format!("statement of more than {MAX_TEXT} bytes");
        return Err(SyntaxError {
            message,
            position: None,
            sqlstate: "54001",
        });
    }
    match pg_query::parse(text, 0) {
        Ok(result) => Ok(result.protobuf.stmts),
        Err(pg_query::Error::Parse(message)) => {
            let position = position_of_error(text, &message);
            Err(SyntaxError {
                message,
                position,
                sqlstate: "42601",
            })
        }
        Err(_) => Err(SyntaxError {
            message: "statement could not be read".into(),
            position: None,
            sqlstate: "42601",
        }),
    }
}

/// The grammar tells the word at which it stopped, not where: the first occurrence of that word up
/// to which the text alone gives the same message is the place.
pub(super) fn position_of_error(text: &str, message: &str) -> Option<usize> {
    if message.ends_with("at end of input") {
        return Some(text.len());
    }
    let (_, word) = message.rsplit_once("at or near \"")?;
    let word = word.strip_suffix('"')?;
    text.match_indices(word)
        .take(64)
        .find(|(at, _)| {
            text.get(..at + word.len()).is_some_and(
                |prefix| matches!(pg_query::parse(prefix, 0), Err(pg_query::Error::Parse(m)) if m == message),
            )
        })
        .map(|(at, _)| at)
}

/// The grammar leaves a node empty in two places: plain DISTINCT is a list of one empty node, and a
/// function in FROM without a column list has an empty one beside it. An empty node anywhere else is
/// a construct that the tree cannot express. Marking the known ones keeps the others an error.
pub(crate) struct MarkEmpty;

impl Editor for MarkEmpty {
    fn node(&mut self, _: &mut pb::Node) -> bool {
        true
    }
    fn tree(&mut self, tree: TreeMut<'_>) {
        match tree {
            TreeMut::SelectStmt(select) => {
                if let [only] = select.distinct_clause.as_mut_slice()
                    && only.node.is_none()
                {
                    only.node = Some(NodeEnum::Boolean(pb::Boolean { boolval: true }));
                }
            }
            TreeMut::RangeFunction(function) => {
                for pair in &mut function.functions {
                    if let Some(NodeEnum::List(pair)) = &mut pair.node
                        && let [_, columns] = pair.items.as_mut_slice()
                        && columns.node.is_none()
                    {
                        columns.node = Some(NodeEnum::List(pb::List { items: Vec::new() }));
                    }
                }
            }
            _ => {} // no other kind of node has an empty place
        }
    }
}

/// What names a SELECT in a text: the place of its first output; of a UNION, of its first part's.
pub(crate) fn first_output(select: &pb::SelectStmt) -> Option<usize> {
    let mut first = select;
    while let Some(left) = &first.larg {
        first = left;
    }
    match first.target_list.first()?.node.as_ref()? {
        NodeEnum::ResTarget(target) => usize::try_from(target.location).ok(),
        _ => None,
    }
}

/// `SELECT`, and nothing else.
pub(crate) fn is_empty_select(select: &pb::SelectStmt) -> bool {
    let empty = pb::SelectStmt {
        op: select.op,
        limit_option: select.limit_option,
        ..pb::SelectStmt::default()
    };
    select.larg.is_none() && *select == empty
}

/// Whether a `distinct_clause` is plain DISTINCT, as [`MarkEmpty`] left it.
pub(crate) fn is_plain_distinct(clause: &[pb::Node]) -> bool {
    matches!(
        clause,
        [pb::Node {
            node: Some(NodeEnum::Boolean(_))
        }]
    )
}

type Told = (Command, Option<String>);

fn refused(why: impl Into<String>) -> Told {
    (Command::Refused, Some(why.into()))
}

/// What a statement does to the session, and why it is refused if it always is.
fn command_of(node: &pb::Node) -> Told {
    match Kind::of(node) {
        Kind::Ddl(_) => match &node.node {
            Some(NodeEnum::CreatedbStmt(create)) if copies_database(create) => {
                refused("CREATE DATABASE with a template of one's own copies what it holds to where other rules may be")
            }
            _ => (Command::Ddl, None), // what it does is not looked at: its purpose says that it may
        },
        Kind::Refused(name) => refused(format!("{} is not served", statement_name(name))),
        Kind::Understood(tree) => command_of_tree(tree),
    }
}

/// A copy of a database other than those that PostgreSQL brings.
fn copies_database(create: &pb::CreatedbStmt) -> bool {
    create.options.iter().any(|option| match &option.node {
        Some(NodeEnum::DefElem(option)) if option.defname == "template" => {
            let name = option.arg.as_deref().and_then(string_of);
            !matches!(name, Some("template0" | "template1"))
        }
        Some(NodeEnum::DefElem(_)) => false,
        Some(_) | None => true, // nothing else stands here
    })
}

fn command_of_tree(tree: Tree<'_>) -> Told {
    let command = match tree {
        Tree::SelectStmt(select) if into_clause(select).is_some() => Command::CreateAs,
        Tree::CreateTableAsStmt(_) => Command::CreateAs,
        Tree::ListenStmt(_) | Tree::NotifyStmt(_) | Tree::LockStmt(_) => Command::Coordinate,
        Tree::SelectStmt(select) => match set_config_calls(select) {
            Some(calls) => Command::SetConfig(calls),
            None => Command::Select,
        },
        Tree::InsertStmt(_) | Tree::UpdateStmt(_) | Tree::DeleteStmt(_) | Tree::MergeStmt(_) => Command::Write,
        Tree::VariableSetStmt(set) => return variable_set(set),
        Tree::VariableShowStmt(show) => Command::Show(show.name.to_ascii_lowercase()),
        Tree::TransactionStmt(transaction) => return transaction_command(transaction),
        Tree::DiscardStmt(discard) => match pb::DiscardMode::try_from(discard.target) {
            Ok(pb::DiscardMode::DiscardAll) => Command::Discard(DiscardTarget::All),
            Ok(pb::DiscardMode::DiscardPlans) => Command::Discard(DiscardTarget::Plans),
            Ok(pb::DiscardMode::DiscardSequences) => Command::Discard(DiscardTarget::Sequences),
            Ok(pb::DiscardMode::DiscardTemp) => Command::Discard(DiscardTarget::Temp),
            Ok(pb::DiscardMode::Undefined) | Err(_) => return refused("this DISCARD is not understood"),
        },
        // Forgetting channels shows nothing; pools do so between clients.
        Tree::ConstraintsSetStmt(_) | Tree::UnlistenStmt(_) => Command::SetCharacteristics,
        Tree::PrepareStmt(prepare) => Command::Prepare {
            name: prepare.name.clone(),
        },
        Tree::ExecuteStmt(execute) => Command::Execute {
            name: execute.name.clone(),
        },
        Tree::DeallocateStmt(deallocate) => Command::Deallocate((!deallocate.isall).then(|| deallocate.name.clone())),
        Tree::DeclareCursorStmt(declare) => {
            const CURSOR_OPT_HOLD: i32 = 0x0020; // parsenodes.h
            Command::Declare {
                name: declare.portalname.clone(),
                hold: declare.options & CURSOR_OPT_HOLD != 0,
            }
        }
        Tree::FetchStmt(fetch) => Command::Fetch {
            name: fetch.portalname.clone(),
        },
        Tree::ClosePortalStmt(close) => {
            Command::Close((!close.portalname.is_empty()).then(|| close.portalname.clone()))
        }
        Tree::ExplainStmt(explain) => match explain.options.iter().any(is_pgpurpose) {
            true => Command::Explanation,
            false => Command::Explain,
        },
        Tree::CopyStmt(copy) => return copy_command(copy),
        // Nodes that are no statements: the grammar never puts one here.
        Tree::Alias(_)
        | Tree::RangeVar(_)
        | Tree::ColumnRef(_)
        | Tree::ParamRef(_)
        | Tree::AExpr(_)
        | Tree::AConst(_)
        | Tree::FuncCall(_)
        | Tree::AStar(_)
        | Tree::AIndices(_)
        | Tree::AIndirection(_)
        | Tree::AArrayExpr(_)
        | Tree::ResTarget(_)
        | Tree::MultiAssignRef(_)
        | Tree::TypeCast(_)
        | Tree::CollateClause(_)
        | Tree::SortBy(_)
        | Tree::WindowDef(_)
        | Tree::SubLink(_)
        | Tree::BoolExpr(_)
        | Tree::CaseExpr(_)
        | Tree::CaseWhen(_)
        | Tree::CoalesceExpr(_)
        | Tree::MinMaxExpr(_)
        | Tree::NullTest(_)
        | Tree::BooleanTest(_)
        | Tree::RowExpr(_)
        | Tree::NamedArgExpr(_)
        | Tree::GroupingSet(_)
        | Tree::GroupingFunc(_)
        | Tree::SqlvalueFunction(_)
        | Tree::XmlExpr(_)
        | Tree::XmlSerialize(_)
        | Tree::SetToDefault(_)
        | Tree::CurrentOfExpr(_)
        | Tree::MergeSupportFunc(_)
        | Tree::TypeName(_)
        | Tree::String(_)
        | Tree::Integer(_)
        | Tree::Float(_)
        | Tree::Boolean(_)
        | Tree::BitString(_)
        | Tree::List(_)
        | Tree::JsonFuncExpr(_)
        | Tree::JsonObjectConstructor(_)
        | Tree::JsonArrayConstructor(_)
        | Tree::JsonArrayQueryConstructor(_)
        | Tree::JsonObjectAgg(_)
        | Tree::JsonArrayAgg(_)
        | Tree::JsonParseExpr(_)
        | Tree::JsonScalarExpr(_)
        | Tree::JsonSerializeExpr(_)
        | Tree::JsonIsPredicate(_)
        | Tree::JsonKeyValue(_)
        | Tree::JsonValueExpr(_)
        | Tree::JsonOutput(_)
        | Tree::JsonFormat(_)
        | Tree::JsonReturning(_)
        | Tree::JsonArgument(_)
        | Tree::JsonBehavior(_)
        | Tree::JsonTable(_)
        | Tree::JsonTableColumn(_)
        | Tree::JsonTablePathSpec(_)
        | Tree::JsonAggConstructor(_)
        | Tree::RangeSubselect(_)
        | Tree::RangeFunction(_)
        | Tree::RangeTableFunc(_)
        | Tree::RangeTableFuncCol(_)
        | Tree::RangeTableSample(_)
        | Tree::JoinExpr(_)
        | Tree::ColumnDef(_)
        | Tree::WithClause(_)
        | Tree::CommonTableExpr(_)
        | Tree::CtesearchClause(_)
        | Tree::CtecycleClause(_)
        | Tree::LockingClause(_)
        | Tree::IntoClause(_)
        | Tree::OnConflictClause(_)
        | Tree::InferClause(_)
        | Tree::IndexElem(_)
        | Tree::MergeWhenClause(_)
        | Tree::DefElem(_)
        | Tree::ReturningClause(_)
        | Tree::ReturningOption(_) => {
            return refused("this is no statement");
        }
    };
    (command, None)
}

/// INTO of a SELECT, which only its first arm may have.
pub(crate) fn into_clause(mut select: &pb::SelectStmt) -> Option<&pb::IntoClause> {
    while let Some(left) = &select.larg {
        select = left;
    }
    select.into_clause.as_deref()
}

/// `CreateTableAsStmt` reads better as `CREATE TABLE AS`.
fn statement_name(grammar_name: &str) -> String {
    let stem = grammar_name.strip_suffix("Stmt").unwrap_or(grammar_name);
    let mut words = String::new();
    for (i, c) in stem.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            words.push(' ');
        }
        words.push(c.to_ascii_uppercase());
    }
    words
}

fn variable_set(set: &pb::VariableSetStmt) -> Told {
    let name = set.name.to_ascii_lowercase();
    let call = |value| {
        (
            Command::Set(ConfigCall {
                name: name.clone(),
                value,
                local: set.is_local,
            }),
            None,
        )
    };
    match pb::VariableSetKind::try_from(set.kind) {
        Ok(pb::VariableSetKind::VarSetValue) => match set.args.iter().map(constant_text).collect::<Option<Vec<_>>>() {
            Some(values) => call(ConfigValue::List(values)),
            None => refused(format!("SET {name} with a value that is no constant")),
        },
        Ok(pb::VariableSetKind::VarSetDefault) => call(ConfigValue::Default),
        Ok(pb::VariableSetKind::VarSetMulti) => match name.as_str() {
            // A snapshot that another session of the database exported shows nothing that its transactions do not.
            "transaction" | "session characteristics" | "transaction snapshot" => (Command::SetCharacteristics, None),
            _ => refused(format!("SET {} is not served", name.to_ascii_uppercase())),
        },
        Ok(pb::VariableSetKind::VarReset) => (Command::Reset(name), None),
        Ok(pb::VariableSetKind::VarResetAll) => (Command::ResetAll, None),
        Ok(pb::VariableSetKind::VarSetCurrent | pb::VariableSetKind::Undefined) | Err(_) => {
            refused("this SET is not understood")
        }
    }
}

fn transaction_command(transaction: &pb::TransactionStmt) -> Told {
    let savepoint = || transaction.savepoint_name.clone();
    let chain = transaction.chain;
    let command = match pb::TransactionStmtKind::try_from(transaction.kind) {
        Ok(pb::TransactionStmtKind::TransStmtBegin | pb::TransactionStmtKind::TransStmtStart) => {
            TransactionCommand::Begin
        }
        Ok(pb::TransactionStmtKind::TransStmtCommit) => TransactionCommand::Commit { chain },
        Ok(pb::TransactionStmtKind::TransStmtRollback) => TransactionCommand::Rollback { chain },
        Ok(pb::TransactionStmtKind::TransStmtSavepoint) => TransactionCommand::Savepoint(savepoint()),
        Ok(pb::TransactionStmtKind::TransStmtRelease) => TransactionCommand::Release(savepoint()),
        Ok(pb::TransactionStmtKind::TransStmtRollbackTo) => TransactionCommand::RollbackTo(savepoint()),
        Ok(pb::TransactionStmtKind::TransStmtCommitPrepared | pb::TransactionStmtKind::TransStmtRollbackPrepared) => {
            TransactionCommand::FinishPrepared
        }
        Ok(pb::TransactionStmtKind::TransStmtPrepare) => TransactionCommand::Prepare,
        Ok(pb::TransactionStmtKind::Undefined) | Err(_) => return refused("this is not understood"),
    };
    (Command::Transaction(command), None)
}

fn copy_command(copy: &pb::CopyStmt) -> Told {
    if copy.is_program {
        return refused("COPY with PROGRAM runs a program on the server");
    }
    if !copy.filename.is_empty() {
        return refused("COPY with a file reads or writes files of the server");
    }
    (
        if copy.is_from {
            Command::CopyIn
        } else {
            Command::CopyOut
        },
        None,
    )
}

/// A constant's text as GUC values are read (`flatten_set_variable_args`).
pub(crate) fn constant_text(node: &pb::Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(c)) => match &c.val {
            Some(pb::a_const::Val::Sval(s)) => Some(s.sval.clone()),
            Some(pb::a_const::Val::Ival(i)) => Some(i.ival.to_string()),
            Some(pb::a_const::Val::Fval(f)) => Some(f.fval.clone()),
            Some(pb::a_const::Val::Boolval(b)) => Some(if b.boolval { "on" } else { "off" }.to_owned()),
            Some(pb::a_const::Val::Bsval(_)) | None => None,
        },
        _ => None,
    }
}

/// The set_config calls of a SELECT that does nothing else with relations: its outputs, no FROM.
/// A call anywhere else is refused where functions are checked.
fn set_config_calls(select: &pb::SelectStmt) -> Option<Vec<ConfigCall>> {
    let plain = select.from_clause.is_empty()
        && select.with_clause.is_none()
        && select.where_clause.is_none()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.values_lists.is_empty()
        && select.larg.is_none()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.distinct_clause.is_empty();
    if !plain {
        return None;
    }
    let calls: Vec<ConfigCall> = select
        .target_list
        .iter()
        .filter_map(output_call)
        .filter_map(set_config_call)
        .collect();
    (!calls.is_empty()).then_some(calls)
}

/// The function call that an output column is, if it is one.
pub(crate) fn output_call(target: &pb::Node) -> Option<&pb::FuncCall> {
    let Some(NodeEnum::ResTarget(target)) = &target.node else {
        return None;
    };
    match target.val.as_deref().and_then(|v| v.node.as_ref()) {
        Some(NodeEnum::FuncCall(call)) => Some(call),
        _ => None,
    }
}

/// A call of set_config with a constant name and scope and a constant or parameter as value.
pub(crate) fn set_config_call(call: &pb::FuncCall) -> Option<ConfigCall> {
    let names: Vec<&str> = call.funcname.iter().filter_map(string_of).collect();
    if !matches!(names.as_slice(), ["set_config"] | ["pg_catalog", "set_config"]) {
        return None;
    }
    let [name, value, local] = call.args.as_slice() else {
        return None;
    };
    let name = constant_text(strip_cast(name))?.to_ascii_lowercase();
    let local = match constant_text(strip_cast(local))?.as_str() {
        "on" | "true" | "t" | "1" => true,
        "off" | "false" | "f" | "0" => false,
        _ => return None,
    };
    let value = match &strip_cast(value).node {
        Some(NodeEnum::ParamRef(p)) => ConfigValue::Parameter(u16::try_from(p.number).ok()?),
        Some(_) => ConfigValue::List(vec![constant_text(strip_cast(value))?]),
        None => return None,
    };
    Some(ConfigCall { name, value, local })
}

/// `'x'::text` is `'x'` here.
fn strip_cast(node: &pb::Node) -> &pb::Node {
    match &node.node {
        Some(NodeEnum::TypeCast(cast)) => match (&cast.arg, cast.type_name.as_ref().map(last_name)) {
            (Some(arg), Some(Some("text" | "bool" | "varchar"))) => arg,
            _ => node,
        },
        _ => node,
    }
}

fn last_name(name: &pb::TypeName) -> Option<&str> {
    name.names.last().and_then(string_of)
}

/// The option PGPURPOSE of EXPLAIN.
fn is_pgpurpose(option: &pb::Node) -> bool {
    matches!(&option.node, Some(NodeEnum::DefElem(option)) if option.defname == "pgpurpose")
}

/// The text of a `String` node.
pub(crate) fn string_of(node: &pb::Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::String(s)) => Some(&s.sval),
        _ => None,
    }
}

/// The tokens of a text that carry meaning.
///
/// # Errors
/// As [`lexer::significant`].
pub(crate) fn tokens(text: &str) -> Result<Vec<lexer::Token>, SyntaxError> {
    lexer::significant(text).map_err(|e| SyntaxError {
        message: e.to_string(),
        position: None,
        sqlstate: "42601",
    })
}
