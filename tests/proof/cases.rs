//! Statements that failed once, shrunk and kept: `cases.txt`.
//!
//! `> role=R mode=M [ordered] [writes=T]`, then `values: [JSON]` where there are parameters, `before:
//! STATEMENT` where one is sent before it, then the statement.

use std::fmt;

use super::check::Sent;
use super::grammar::Mode;

pub fn parse(text: &str) -> Vec<Sent> {
    let mut cases: Vec<Sent> = Vec::new();
    for line in text.lines().filter(|l| !l.starts_with("##")) {
        if let Some(head) = line.strip_prefix("> ") {
            cases.push(parse_head(head));
        } else if let Some(case) = cases.last_mut() {
            if let Some(values) = line.strip_prefix("values: ") {
                case.values = serde_json::from_str(values).unwrap();
            } else if let Some(sql) = line.strip_prefix("before: ") {
                case.before = Some(sql.to_owned());
            } else {
                case.sql.push_str(line);
                case.sql.push('\n');
            }
        }
    }
    for case in &mut cases {
        case.sql = case.sql.trim().to_owned();
    }
    cases
}

fn parse_head(head: &str) -> Sent {
    let option = |name: &str| head.split(' ').find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
    let mode = option("mode").unwrap_or("simple");
    let (mode, numbers) = mode.split_once(':').unwrap_or((mode, ""));
    let mut numbers = numbers.split(',').filter_map(|n| n.parse::<usize>().ok());
    let mode = match mode {
        "simple" => Mode::Simple,
        "extended" => Mode::Extended {
            parameters: true,
            binary: false,
        },
        "binary" => Mode::Extended {
            parameters: true,
            binary: true,
        },
        "portal" => Mode::Portal {
            rows: numbers.next().unwrap() as u32,
            executes: numbers.next().unwrap(),
        },
        "cursor" => Mode::Cursor(numbers.next().unwrap()),
        "prepared" => Mode::Prepared { parameters: true },
        "copy" => Mode::Copy(numbers.next().unwrap()),
        "temporary" => Mode::Temporary(numbers.next().unwrap()),
        "again" => Mode::Again,
        other => panic!("mode {other}"),
    };
    Sent {
        role: option("role").unwrap().to_owned(),
        sql: String::new(),
        values: Vec::new(),
        before: None,
        mode,
        is_ordered: head.split(' ').any(|w| w == "ordered"),
        writes: option("writes").map(str::to_owned),
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "> role={} mode=", self.role)?;
        match self.mode {
            Mode::Simple => write!(f, "simple")?,
            Mode::Extended { binary: false, .. } => write!(f, "extended")?,
            Mode::Extended { binary: true, .. } => write!(f, "binary")?,
            Mode::Portal { rows, executes } => write!(f, "portal:{rows},{executes}")?,
            Mode::Cursor(way) => write!(f, "cursor:{way}")?,
            Mode::Prepared { .. } => write!(f, "prepared")?,
            Mode::Copy(format) => write!(f, "copy:{format}")?,
            Mode::Temporary(way) => write!(f, "temporary:{way}")?,
            Mode::Again => write!(f, "again")?,
        }
        if self.is_ordered {
            write!(f, " ordered")?;
        }
        if let Some(table) = &self.writes {
            write!(f, " writes={table}")?;
        }
        if !self.values.is_empty() {
            write!(f, "\nvalues: {}", serde_json::Value::from(self.values.clone()))?;
        }
        if let Some(before) = &self.before {
            write!(f, "\nbefore: {before}")?;
        }
        write!(f, "\n{}", self.sql)
    }
}
