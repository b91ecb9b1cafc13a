//! What is relied on of a server, each with its reason, and the engines that are known to speak like PostgreSQL.
//!
//! Looked at before the first session with a database goes on, over its own connection: the proxy may have no other.
//! Nothing that the server says is repeated: what is lacking is told in words of this file.

use bytes::BytesMut;

use super::ask::{AskError, rows, run};
use super::{Address, Upstream};
use crate::wire::{BackendKind, ErrorFields, backend};

/// What happens where something is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    /// No session is served.
    Refuse,
    /// It is said.
    Warn,
}

/// One thing that is relied on.
#[derive(Debug)]
struct Need {
    /// What should hold.
    what: &'static str,
    /// What would not work, or not be safe, without it.
    why: &'static str,
    otherwise: Otherwise,
    /// A query of one row that says of each part, or of the whole, whether it holds. One that fails says no.
    ask: &'static str,
    /// What its columns are about, if there are several.
    parts: &'static [&'static str],
}

/// A query that says of each name whether there is such a thing in pg_catalog, by `to_regclass` or `to_regprocedure`.
macro_rules! there {
    ($by:literal: $first:literal $(, $name:literal)* $(,)?) => {(
        concat!(
            "SELECT pg_catalog.", $by, "('pg_catalog.", $first, "') IS NOT NULL"
            $(, ", pg_catalog.", $by, "('pg_catalog.", $name, "') IS NOT NULL")*
        ),
        &[$first $(, $name)*],
    )};
}

const RELATIONS: (&str, &[&str]) = there!("to_regclass":
    "pg_attribute", "pg_auth_members", "pg_authid", "pg_class", "pg_database", "pg_depend", "pg_extension", "pg_index",
    "pg_inherits", "pg_namespace", "pg_operator", "pg_proc", "pg_rewrite", "pg_roles", "pg_trigger", "pg_type",
);

const FUNCTIONS: (&str, &[&str]) = there!("to_regprocedure":
    "acldefault(\"char\",oid)", "aclexplode(aclitem[])", "current_setting(text)", "current_setting(text,boolean)",
    "format_type(oid,integer)", "pg_get_viewdef(oid)", "pg_has_role(name,oid,text)", "pg_is_other_temp_schema(oid)", "pg_my_temp_schema()",
    "pg_options_to_table(text[])", "sha256(bytea)", "convert_to(text,name)", "encode(bytea,text)", "substr(text,integer,integer)",
    "statement_timestamp()", "set_config(text,text,boolean)", "to_json(anyelement)",
);

const NEEDS: &[Need] = &[
    Need {
        what: "PostgreSQL 14 or newer",
        why: "what its catalogs, functions and error texts tell is known from 14 on",
        otherwise: Otherwise::Refuse,
        ask: "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 140000",
        parts: &[],
    },
    Need {
        what: "PostgreSQL 18 or older",
        why: "what is new in it is refused until it is known, and its error texts may be generic",
        otherwise: Otherwise::Warn,
        ask: "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.<) 190000",
        parts: &[],
    },
    Need {
        what: "integer_datetimes = on",
        why: "clients of this protocol read binary dates as integers, and no PostgreSQL since 10 has others",
        otherwise: Otherwise::Refuse,
        ask: "SELECT pg_catalog.current_setting('integer_datetimes') OPERATOR(pg_catalog.=) 'on'",
        parts: &[],
    },
    Need {
        what: "standard_conforming_strings = on",
        why: "where a string ends is read so; otherwise a text means something else than what was checked",
        otherwise: Otherwise::Refuse,
        ask: "SELECT pg_catalog.current_setting('standard_conforming_strings') OPERATOR(pg_catalog.=) 'on' AND '\\' OPERATOR(pg_catalog.=) E'\\\\'",
        parts: &[],
    },
    Need {
        what: "the system catalogs",
        why: "names are resolved, and columns classified, by them",
        otherwise: Otherwise::Refuse,
        ask: RELATIONS.0,
        parts: RELATIONS.1,
    },
    Need {
        what: "functions of pg_catalog",
        why: "the catalog is read and masks are computed with them",
        otherwise: Otherwise::Refuse,
        ask: FUNCTIONS.0,
        parts: FUNCTIONS.1,
    },
    Need {
        what: "OFFSET 0 is a fence",
        why: "otherwise a client's condition is evaluated on rows that it must not see, and its error tells of them",
        otherwise: Otherwise::Refuse,
        // The row filter leaves no row and is dear; the condition is cheap and fails on each.
        ask: concat!(
            "SELECT NOT EXISTS (SELECT FROM (SELECT c.oid FROM pg_catalog.pg_class c WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n",
            " WHERE n.oid OPERATOR(pg_catalog.=) c.relnamespace) OFFSET 0) r",
            " WHERE 1 OPERATOR(pg_catalog./) (r.oid::pg_catalog.int8 OPERATOR(pg_catalog.-) r.oid::pg_catalog.int8) OPERATOR(pg_catalog.=) 1)",
        ),
        parts: &[],
    },
    Need {
        what: "CASE is evaluated in its order",
        why: "in UPDATE and DELETE it keeps a client's condition from rows that it must not see",
        otherwise: Otherwise::Refuse,
        ask: concat!(
            "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n",
            " WHERE n.oid OPERATOR(pg_catalog.=) c.relnamespace)",
            " THEN 1 OPERATOR(pg_catalog./) (c.oid::pg_catalog.int8 OPERATOR(pg_catalog.-) c.oid::pg_catalog.int8) OPERATOR(pg_catalog.=) 1 END)",
        ),
        parts: &[],
    },
];

/// Of sessions: tools send no such settings.
const SETTINGS: Need = Need {
    what: "settings of the start-up packet",
    why: "something between, a pooler say, keeps them: columns with keyed masks show NULL",
    otherwise: Otherwise::Warn,
    ask: "SELECT pg_catalog.current_setting('pgpurpose.version', true) IS NOT NULL",
    parts: &[],
};

const ORIGINS: Need = Need {
    what: "origins of columns in RowDescription",
    why: "that no hidden column comes back as it is stored is not looked at a second time",
    otherwise: Otherwise::Warn,
    ask: "SELECT c.relname FROM pg_catalog.pg_class c LIMIT 0",
    parts: &[],
};

/// An engine that speaks like PostgreSQL.
#[derive(Debug)]
struct Engine {
    name: &'static str,
    mark: Mark,
    /// What is to be said of it; none: it is what this program was made for.
    otherwise: Option<(Otherwise, &'static str)>,
}

/// How an engine is known.
#[derive(Debug)]
enum Mark {
    /// By a part of what `version()` says.
    Version(&'static str),
    /// By something in its catalogs: a column of [`MARKS`].
    Catalog(usize),
}

const MARKS: &str = concat!(
    "SELECT pg_catalog.version(),",
    " EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'citus'),",
    " EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proname OPERATOR(pg_catalog.=) 'aurora_version'),",
    " EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE pg_catalog.left(s.name, 8) OPERATOR(pg_catalog.=) 'alloydb.')",
);

const OWN_PLANNER: &str = "it plans queries by itself: that filtered rows stay unseen is not known to hold there";
const OWN_GRAMMAR: &str = "it reads SQL by a grammar of its own: what was checked may not be what runs";
const UNTESTED: &str = "it has PostgreSQL's planner, and what is relied on was looked at; no test runs there";

/// The first whose mark is there; PostgreSQL's own is in most of them, so it comes last.
const ENGINES: &[Engine] = &[
    engine(
        "CockroachDB",
        Mark::Version("CockroachDB"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "Materialize",
        Mark::Version("Materialize"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "RisingWave",
        Mark::Version("RisingWave"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "QuestDB",
        Mark::Version("QuestDB"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "CrateDB",
        Mark::Version("CrateDB"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "Redshift",
        Mark::Version("Redshift"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "Greenplum",
        Mark::Version("Greenplum"),
        Some((Otherwise::Refuse, OWN_PLANNER)),
    ),
    engine(
        "EDB Postgres Advanced Server",
        Mark::Version("EnterpriseDB"),
        Some((Otherwise::Refuse, OWN_GRAMMAR)),
    ),
    engine(
        "openGauss",
        Mark::Version("Gauss"),
        Some((Otherwise::Refuse, OWN_GRAMMAR)),
    ),
    engine("YugabyteDB", Mark::Version("-YB-"), Some((Otherwise::Warn, UNTESTED))),
    engine(
        "Citus",
        Mark::Catalog(1),
        Some((
            Otherwise::Warn,
            "queries over distributed tables are planned by Citus; no test runs there",
        )),
    ),
    engine("Aurora", Mark::Catalog(2), Some((Otherwise::Warn, UNTESTED))),
    engine("AlloyDB", Mark::Catalog(3), Some((Otherwise::Warn, UNTESTED))),
    engine("PostgreSQL", Mark::Version("PostgreSQL "), None),
];

const UNKNOWN: Engine = engine(
    "an unknown engine",
    Mark::Version(""),
    Some((Otherwise::Refuse, OWN_PLANNER)),
);

const fn engine(name: &'static str, mark: Mark, otherwise: Option<(Otherwise, &'static str)>) -> Engine {
    Engine { name, mark, otherwise }
}

/// What a server is, and what it lacks.
#[derive(Debug)]
pub struct Report {
    /// Its kind.
    pub engine: &'static str,
    /// Why no session is served.
    pub objections: Vec<String>,
    /// What should be known of it.
    pub warnings: Vec<String>,
}

impl Report {
    fn add(&mut self, otherwise: Otherwise, text: String) {
        match otherwise {
            Otherwise::Refuse => self.objections.push(text),
            Otherwise::Warn => self.warnings.push(text),
        }
    }

    /// Notes a need that is not met; of several parts, those that are lacking.
    fn lacks(&mut self, need: &Need, parts: &[&str]) {
        let which = match parts {
            [] => String::new(),
            parts => format!(" ({})", parts.join(", ")),
        };
        self.add(need.otherwise, format!("it lacks: {}{which}; {}", need.what, need.why));
    }

    /// Says what was found, to the log.
    pub fn tell(&self, server: &Address) {
        tracing::info!(%server, "the database server is {}", self.engine);
        for warning in &self.warnings {
            tracing::warn!(%server, "the database server, {}: {warning}", self.engine);
        }
        for objection in &self.objections {
            tracing::error!(%server, "the database server, {}, is not served: {objection}", self.engine);
        }
    }
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looker {
    /// A session, which began with settings of ours.
    Session,
    /// A tool.
    Tool,
}

/// Looks at what a server is and has. The connection is at ReadyForQuery, before and after.
///
/// # Errors
/// The connection ended, or the server could not answer for a reason that tells nothing of what it has.
pub async fn look(upstream: &mut Upstream, looker: Looker, aside: &mut BytesMut) -> Result<Report, AskError> {
    let engine = which(upstream, aside).await?;
    let mut report = Report {
        engine: engine.name,
        objections: Vec::new(),
        warnings: Vec::new(),
    };
    if let Some((otherwise, why)) = engine.otherwise {
        report.add(otherwise, why.to_owned());
    }
    // What is refused as a whole is not asked further.
    if !report.objections.is_empty() {
        return Ok(report);
    }
    let ours = (looker == Looker::Session).then_some(&SETTINGS);
    for need in NEEDS.iter().chain(ours) {
        let said = ask(upstream, need.ask, aside).await?.unwrap_or_default();
        let holds = |index: usize| said.get(index).and_then(Option::as_deref) == Some("t");
        let lacking: Vec<&str> = (0..)
            .zip(need.parts)
            .filter(|(i, _)| !holds(*i))
            .map(|(_, part)| *part)
            .collect();
        let met = if need.parts.is_empty() {
            holds(0)
        } else {
            lacking.is_empty()
        };
        if !met {
            report.lacks(need, &lacking);
        }
    }
    if !tells_origins(upstream).await? {
        report.lacks(&ORIGINS, &[]);
    }
    Ok(report)
}

async fn which(upstream: &mut Upstream, aside: &mut BytesMut) -> Result<&'static Engine, AskError> {
    let said = ask(upstream, MARKS, aside).await?;
    // Without the catalogs that the marks are in, it may still say its name.
    let said = match said {
        Some(said) => said,
        None => ask(upstream, "SELECT version()", aside).await?.unwrap_or_default(),
    };
    let column = |index: usize| said.get(index).and_then(Option::as_deref).unwrap_or_default();
    let is = |mark: &Mark| match mark {
        Mark::Version(part) => column(0).contains(part),
        Mark::Catalog(index) => column(*index) == "t",
    };
    Ok(ENGINES.iter().find(|engine| is(&engine.mark)).unwrap_or(&UNKNOWN))
}

/// The only row of a query; none if the server cannot run it.
async fn ask(
    upstream: &mut Upstream,
    text: &'static str,
    aside: &mut BytesMut,
) -> Result<Option<Vec<Option<String>>>, AskError> {
    let results = match run(upstream, text, aside).await {
        Ok(results) => results,
        Err(AskError::Server(fields)) if tells(&fields) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(row) = rows(&results, 0)?.next() else {
        return Ok(None);
    };
    row?.all().map(Some)
}

/// Whether an error tells what a server has: it does not know a name, or evaluated what it should not have. That it was
/// out of time or memory tells nothing.
fn tells(fields: &ErrorFields) -> bool {
    !fields.is_fatal()
        && ["0A", "22", "42", "3F", "XX"]
            .iter()
            .any(|class| fields.sqlstate().starts_with(class))
}

/// `pg_class` has the oid 1259 since ever, and `relname` is its second column.
async fn tells_origins(upstream: &mut Upstream) -> Result<bool, AskError> {
    upstream.sender.query_fixed(ORIGINS.ask);
    let mut tells = false;
    loop {
        let frame = upstream.exchange().await?;
        match BackendKind::of(frame.tag)? {
            BackendKind::RowDescription => {
                let columns = backend::row_description(frame.body())?;
                tells = columns.first().is_some_and(|c| (c.table, c.column) == (1259, 2));
            }
            BackendKind::ReadyForQuery => return Ok(tells),
            // An error is an answer, too: they are not told.
            BackendKind::CommandComplete
            | BackendKind::ErrorResponse
            | BackendKind::NoticeResponse
            | BackendKind::NotificationResponse
            | BackendKind::ParameterStatus => {}
            BackendKind::Authentication
            | BackendKind::BackendKeyData
            | BackendKind::BindComplete
            | BackendKind::CloseComplete
            | BackendKind::CopyData
            | BackendKind::CopyDone
            | BackendKind::CopyInResponse
            | BackendKind::CopyOutResponse
            | BackendKind::CopyBothResponse
            | BackendKind::DataRow
            | BackendKind::EmptyQueryResponse
            | BackendKind::FunctionCallResponse
            | BackendKind::NegotiateProtocolVersion
            | BackendKind::NoData
            | BackendKind::ParameterDescription
            | BackendKind::ParseComplete
            | BackendKind::PortalSuspended => return Err(AskError::Unexpected("message")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_relations_that_queries_of_ours_read_are_looked_for() {
        for source in [include_str!("loader_sql.rs"), include_str!("privileges.rs")] {
            let text = source.replace("JOIN pg_catalog.", "FROM pg_catalog.");
            let name = |rest: &str| {
                rest.split(|c: char| !c.is_ascii_lowercase() && c != '_')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            };
            // What stands before a parenthesis is a function.
            let relations = text
                .split("FROM pg_catalog.")
                .skip(1)
                .filter(|rest| !rest[name(rest).len()..].starts_with('('));
            let mut count = 0;
            for relation in relations.map(name) {
                assert!(RELATIONS.1.contains(&relation.as_str()), "{relation}");
                count += 1;
            }
            assert!(count > 2);
        }
    }

    #[test]
    fn only_what_tells_of_the_server_counts_as_an_answer() {
        let error = |severity: &str, state: &str| tells(&ErrorFields::new(severity, state, "no"));
        for state in ["22012", "42P01", "42883", "0A000"] {
            assert!(error("ERROR", state), "{state}");
        }
        for state in ["57014", "53200", "25006", "40001"] {
            assert!(!error("ERROR", state), "{state}");
        }
        assert!(!error("FATAL", "42P01"));
    }
}
