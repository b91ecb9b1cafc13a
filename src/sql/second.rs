//! The second reading: which relations a text names, by another parser than PostgreSQL's.
//!
//! The gate takes places from PostgreSQL's grammar and meaning from sqlparser; both must name the same
//! relations in the same order, so that nothing rests on one parser. This module answers for sqlparser, by
//! a walk of its own that is total over the syntax tree (sqlparser's own visitor misses `TABLE t`, COPY
//! and SELECT INTO). It knows no scope: a reference to a CTE is listed like one to a table.
//!
//! What sqlparser cannot read, and what it reads in another dialect's way, is [`Reading::Unread`]: then
//! the strictest reading of the statement holds.

mod expressions;
mod operators;
mod queries;
mod statements;
mod writes;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::Token;

use super::lexer::{Lexer, fold, unquote};

/// A relation that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRelation {
    /// Database, schema and name as far as given; folded and cut as PostgreSQL does.
    pub parts: Vec<String>,
    /// Byte offset of the first part.
    pub start: usize,
}

/// What the second parser makes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// All relations named in FROM, JOIN, TABLE, INTO, UPDATE, DELETE, USING, MERGE, COPY, TRUNCATE and
    /// LOCK, in order of position, each position once. Not: functions in FROM, aliases (those of FOR
    /// UPDATE OF too), names of CTEs where they are defined.
    Relations(Vec<NamedRelation>),
    /// It cannot tell, and why (without the client's words).
    Unread(String),
}

/// Reads all statements of a text.
pub fn relations(text: &str) -> Reading {
    match read(text) {
        Ok(relations) => Reading::Relations(relations),
        Err(why) => Reading::Unread(why),
    }
}

fn read(text: &str) -> Result<Vec<NamedRelation>, String> {
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .with_options(ParserOptions::new().with_unescape(false))
        .try_with_sql(text)
        .map_err(|error| why(&error))?;
    let statements = parser.parse_statements().map_err(|error| why(&error))?;
    // The parser stops at END and says nothing.
    if parser.peek_token().token != Token::EOF {
        return Err("not read to its end".to_owned());
    }
    let mut walk = Walk::default();
    for statement in &statements {
        walk.statement(statement).map_err(str::to_owned)?;
    }
    walk.located(text)
}

/// A parser's error without what it quotes from the text.
fn why(error: &ParserError) -> String {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => return "nested too deeply".to_owned(),
    };
    let place = message.rsplit_once(" at Line: ").map(|(_, place)| place);
    match place.filter(|p| p.chars().all(|c| c.is_ascii_digit() || ", Column:".contains(c))) {
        Some(place) => format!("not read at line {}", place.replace("Column:", "column")),
        None => "not read".to_owned(),
    }
}

/// Why a tree is not read: the construct that PostgreSQL does not have, or that stands for relations in a
/// way not followed here.
type Walked = Result<(), &'static str>;

/// Ends the walk at a construct unless the tree is free of it.
fn require(is_free: bool, construct: &'static str) -> Walked {
    if is_free { Ok(()) } else { Err(construct) }
}

/// Collects names on the way through a tree.
#[derive(Default)]
struct Walk {
    found: Vec<Found>,
}

struct Found {
    line: u64,
    column: u64,
    parts: Vec<String>,
}

impl Walk {
    fn relation(&mut self, name: &ObjectName) -> Walked {
        let ObjectName(parts) = name;
        let mut idents = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                ObjectNamePart::Identifier(ident) => idents.push(ident),
                ObjectNamePart::Function(_) => return Err("a name made by a function"),
            }
        }
        self.relation_of(&idents)
    }

    fn relation_of(&mut self, idents: &[&Ident]) -> Walked {
        let start = idents.first().map(|ident| ident.span.start).ok_or("an empty name")?;
        require(start.line > 0 && start.column > 0, "a name without a position")?;
        let parts = idents.iter().map(|ident| name_of(ident)).collect::<Result<_, _>>()?;
        self.found.push(Found {
            line: start.line,
            column: start.column,
            parts,
        });
        Ok(())
    }

    /// Turns lines and columns (in characters) into byte offsets, and holds each name against the text.
    fn located(mut self, text: &str) -> Result<Vec<NamedRelation>, String> {
        self.found.sort_by_key(|found| (found.line, found.column));
        let mut places = Places {
            rest: text.char_indices(),
            offset: 0,
            line: 1,
            column: 1,
            len: text.len(),
        };
        let mut relations: Vec<NamedRelation> = Vec::with_capacity(self.found.len());
        for Found { line, column, parts } in self.found {
            let start = places.offset_of(line, column).ok_or("a position outside the text")?;
            let spelt = Lexer::new(text.get(start..).unwrap_or_default())
                .next()
                .and_then(Result::ok);
            let first = spelt.and_then(|token| token.name(text.get(start..).unwrap_or_default()));
            if spelt.is_none_or(|token| token.start != 0) || first.as_ref() != parts.first() {
                return Err("a name that does not stand at its position".to_owned());
            }
            if relations.last().is_none_or(|last| last.start != start) {
                relations.push(NamedRelation { parts, start });
            }
        }
        Ok(relations)
    }
}

fn name_of(ident: &Ident) -> Result<String, &'static str> {
    match ident.quote_style {
        None => Ok(fold(&ident.value)),
        // The parser was told to leave doubled quotes as they are.
        Some('"') => Ok(unquote(&format!("\"{}\"", ident.value))),
        Some(_) => Err("a name in quotes of another dialect"),
    }
}

/// One pass over a text for ascending positions.
struct Places<'a> {
    rest: std::str::CharIndices<'a>,
    /// Of the next character.
    offset: usize,
    line: u64,
    column: u64,
    len: usize,
}

impl Places<'_> {
    fn offset_of(&mut self, line: u64, column: u64) -> Option<usize> {
        while (self.line, self.column) < (line, column) {
            let (at, character) = self.rest.next()?;
            self.offset = at + character.len_utf8();
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        ((self.line, self.column) == (line, column) && self.offset < self.len).then_some(self.offset)
    }
}

#[cfg(test)]
mod tests;
