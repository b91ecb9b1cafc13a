//! Where the outermost query, its clauses and its items stand in the text.
//!
//! Reads tokens only, by words that PostgreSQL reserves. What is found here is where text is put in;
//! that it is the right place is the gate's to say, which compares trees.

use std::ops::Range;

use crate::sql::Command;
use crate::sql::lexer::{Token, TokenKind};

/// Words that unite two queries.
const UNITE: [&str; 3] = ["union", "intersect", "except"];

/// Words that begin what may follow GROUP BY or HAVING of a query that is not united.
const AFTER_GROUPS: [&str; 6] = ["window", "order", "limit", "offset", "fetch", "for"];

/// Words that may follow an output list or a SET.
const AFTER_ITEMS: [&str; 13] = [
    "where",
    "group",
    "having",
    "window",
    "order",
    "limit",
    "offset",
    "fetch",
    "for",
    "union",
    "intersect",
    "except",
    "returning",
];

/// The tokens of a query or write, without what carries it and without parentheses around it.
#[derive(Clone, Copy)]
pub struct QueryTokens<'t> {
    text: &'t str,
    tokens: &'t [Token],
}

impl<'t> QueryTokens<'t> {
    /// The query of a statement: all of it, or what DECLARE, PREPARE, EXPLAIN or COPY carries.
    pub fn find(command: &Command, text: &'t str, tokens: &'t [Token], span: &Range<usize>) -> Option<Self> {
        let start = tokens.partition_point(|t| t.start < span.start);
        let end = tokens.partition_point(|t| t.end <= span.end);
        let mut own = Self {
            text,
            tokens: tokens.get(start..end)?,
        };
        if let [rest @ .., last] = own.tokens
            && last.kind == TokenKind::Semicolon
        {
            own.tokens = rest;
        }
        let mut carried = match command {
            Command::Declare { .. } => own.behind(own.word_at_top("for", 0)?),
            Command::Prepare { .. } => own.behind(own.word_at_top("as", 0)?),
            Command::CopyOut => own.between_parentheses(1),
            Command::Explain => own.explained(),
            Command::Select | Command::Write => Some(own),
            Command::SetConfig(_)
            | Command::Set(_)
            | Command::SetCharacteristics
            | Command::Reset(_)
            | Command::ResetAll
            | Command::Show(_)
            | Command::Transaction(_)
            | Command::Discard(_)
            | Command::Execute { .. }
            | Command::Deallocate(_)
            | Command::Fetch { .. }
            | Command::Close(_)
            | Command::Explanation
            | Command::CopyIn
            | Command::Coordinate
            | Command::CreateAs
            | Command::Ddl
            | Command::Refused => None,
        }?;
        while carried.kind(0) == Some(TokenKind::LeftParen)
            && carried
                .closing(0)
                .is_some_and(|close| close + 1 == carried.tokens.len())
        {
            carried = carried.between_parentheses(0)?;
        }
        (!carried.tokens.is_empty()).then_some(carried)
    }

    /// The SELECT whose first output stands at `location`, up to the parenthesis that closes it or the
    /// statement's end: with what it is united with behind it.
    pub fn of_select(text: &'t str, tokens: &'t [Token], span: &Range<usize>, location: usize) -> Option<Self> {
        let first = tokens.binary_search_by_key(&location, |t| t.start).ok()?;
        let all = Self { text, tokens };
        let mut select = first.checked_sub(1)?;
        if all.is_word(select, "all") {
            select = select.checked_sub(1)?;
        }
        let end = tokens.partition_point(|t| t.end <= span.end);
        let own = Self {
            text,
            tokens: tokens.get(select..end)?,
        };
        if !own.is_word(0, "select") {
            return None;
        }
        let mut depth = 0_usize;
        let stop = own.tokens.iter().position(|token| {
            match token.kind {
                TokenKind::LeftParen => depth += 1,
                TokenKind::RightParen if depth == 0 => return true,
                TokenKind::RightParen => depth -= 1,
                TokenKind::Semicolon => return true,
                _ => {} // any other token opens and closes nothing
            }
            false
        });
        Some(Self {
            text,
            tokens: own.tokens.get(..stop.unwrap_or(own.tokens.len()))?,
        })
    }

    /// The condition of the FILTER behind a call at `location`, as bytes.
    pub fn filter_of(text: &'t str, tokens: &'t [Token], location: usize) -> Option<Range<usize>> {
        let all = Self { text, tokens };
        let name = tokens.binary_search_by_key(&location, |t| t.start).ok()?;
        let open = (name..tokens.len()).find(|i| all.kind(*i) == Some(TokenKind::LeftParen))?;
        let filter = all.closing(open)? + 1;
        let close = all.closing(filter + 1)?;
        if !all.is_word(filter, "filter") || !all.is_word(filter + 2, "where") {
            return None;
        }
        Some(tokens.get(filter + 3)?.start..tokens.get(close.checked_sub(1)?)?.end)
    }

    /// Another query stands behind it, united with it.
    pub fn is_united(&self) -> bool {
        UNITE.iter().any(|word| self.word_at_top(word, 0).is_some())
    }

    /// The bytes from the first token to the last.
    pub fn range(&self) -> Option<Range<usize>> {
        Some(self.tokens.first()?.start..self.tokens.last()?.end)
    }

    /// The condition of HAVING, or the place where a HAVING would stand.
    pub fn having(&self) -> Option<Having> {
        let end = AFTER_GROUPS
            .iter()
            .chain(&UNITE)
            .filter_map(|word| self.word_at_top(word, 0))
            .min()
            .unwrap_or(self.tokens.len());
        let last = self.tokens.get(end.checked_sub(1)?)?.end;
        Some(match self.word_at_top("having", 0) {
            Some(having) => Having::Present(self.tokens.get(having)?.end..last),
            None => Having::Absent(last),
        })
    }

    /// The items of each row behind VALUES, as bytes.
    pub fn values(&self) -> Option<Vec<Vec<Range<usize>>>> {
        let mut at = self.word_at_top("values", 0)? + 1;
        let mut rows = Vec::new();
        while self.kind(at) == Some(TokenKind::LeftParen) {
            let close = self.closing(at)?;
            rows.push(self.items(at + 1, close)?);
            at = close + 1;
            if self.kind(at) != Some(TokenKind::Comma) {
                break;
            }
            at += 1;
        }
        Some(rows)
    }

    /// The output columns of the first SELECT at top level, as bytes, their names among them.
    pub fn outputs(&self) -> Option<Vec<Range<usize>>> {
        let start = self.word_at_top("select", 0)? + 1;
        self.items(start, self.end_of_items(start))
    }

    /// The value assigned to the column of a SET whose name stands at `location`: the bytes behind `=`.
    pub fn assigned(&self, location: usize) -> Option<Range<usize>> {
        let name = self.tokens.binary_search_by_key(&location, |t| t.start).ok()?;
        let equals = self.tokens.get(name + 1)?;
        if equals.kind != TokenKind::Operator || equals.text(self.text) != "=" {
            return None;
        }
        let start = name + 2;
        self.items(start, self.end_of_items(start))?.into_iter().next()
    }

    /// An output column without its name, which is known to be there.
    pub fn without_alias(&self, item: Range<usize>) -> Option<Range<usize>> {
        let name = self.tokens.iter().position(|t| t.end == item.end)?;
        let mut last = name.checked_sub(1)?;
        if self.is_word(last, "as") {
            last = last.checked_sub(1)?;
        }
        let end = self.tokens.get(last)?.end;
        (end > item.start).then_some(item.start..end)
    }

    /// Where FROM or another clause begins.
    fn end_of_items(&self, start: usize) -> usize {
        let clauses = AFTER_ITEMS.iter().filter_map(|word| self.word_at_top(word, start));
        // ON CONFLICT; ON stands nowhere else before FROM.
        let stops = clauses
            .chain(self.word_at_top("on", start))
            .chain(self.clause_from(start));
        stops.min().unwrap_or(self.tokens.len())
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|t| t.kind)
    }

    fn is_word(&self, index: usize, word: &str) -> bool {
        self.tokens.get(index).is_some_and(|t| t.is_word(self.text, word))
    }

    /// Indexes at no depth of parentheses, from `from` on, until one too many closes.
    fn at_top(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let mut depth = 0_usize;
        self.tokens
            .iter()
            .enumerate()
            .skip(from)
            .map_while(move |(index, token)| {
                let here = depth;
                match token.kind {
                    TokenKind::LeftParen | TokenKind::LeftBracket => depth += 1,
                    TokenKind::RightParen | TokenKind::RightBracket => depth = depth.checked_sub(1)?,
                    _ => {} // any other token has no depth of its own
                }
                Some((index, here.min(depth)))
            })
            .filter_map(|(index, depth)| (depth == 0).then_some(index))
    }

    /// A reserved word at top level, where it is neither a label nor a part of a name.
    fn word_at_top(&self, word: &str, from: usize) -> Option<usize> {
        self.at_top(from).find(|index| {
            let label = index.checked_sub(1).is_some_and(|before| {
                self.kind(before) == Some(TokenKind::Dot) || self.is_word(before, "as") && *index > from
            });
            self.is_word(*index, word) && !label
        })
    }

    /// FROM as a clause, not that of IS DISTINCT FROM.
    fn clause_from(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let found = self.word_at_top("from", at)?;
            if !found
                .checked_sub(1)
                .is_some_and(|before| self.is_word(before, "distinct"))
            {
                return Some(found);
            }
            at = found + 1;
        }
    }

    /// Pieces between commas at top level.
    fn items(&self, start: usize, end: usize) -> Option<Vec<Range<usize>>> {
        let mut items = Vec::new();
        let mut first = start;
        let commas = self.at_top(start).take_while(|index| *index < end);
        let commas: Vec<usize> = commas
            .filter(|index| self.kind(*index) == Some(TokenKind::Comma))
            .collect();
        for comma in commas.into_iter().chain([end]) {
            let last = comma.checked_sub(1).filter(|last| *last >= first)?;
            items.push(self.tokens.get(first)?.start..self.tokens.get(last)?.end);
            first = comma + 1;
        }
        Some(items)
    }

    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (index, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                TokenKind::LeftParen => depth += 1,
                TokenKind::RightParen => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(index);
                    }
                }
                _ => {} // any other token opens and closes nothing
            }
        }
        None
    }

    fn behind(&self, index: usize) -> Option<Self> {
        Some(Self {
            text: self.text,
            tokens: self.tokens.get(index + 1..)?,
        })
    }

    fn between_parentheses(&self, open: usize) -> Option<Self> {
        let close = self.closing(open)?;
        Some(Self {
            text: self.text,
            tokens: self.tokens.get(open + 1..close)?,
        })
    }

    /// Behind EXPLAIN and its options.
    fn explained(&self) -> Option<Self> {
        let mut at = 1;
        while self.is_word(at, "analyze") || self.is_word(at, "analyse") || self.is_word(at, "verbose") {
            at += 1;
        }
        let starts = |index| {
            self.kind(index) == Some(TokenKind::LeftParen)
                || ["select", "with", "values", "table"]
                    .iter()
                    .any(|word| self.is_word(index, word))
        };
        if self.kind(at) == Some(TokenKind::LeftParen) && !starts(at + 1) {
            at = self.closing(at)? + 1;
        }
        self.behind(at.checked_sub(1)?)
    }
}

/// Where a query's HAVING is.
pub enum Having {
    /// Its condition, as bytes.
    Present(Range<usize>),
    /// It would stand here.
    Absent(usize),
}
