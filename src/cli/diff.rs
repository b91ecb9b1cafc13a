//! `pgpurpose diff OLD NEW`: what other rules change, and for whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Exit;
use super::output::{self, ColorChoice, Format, Paint, Tone};
use super::rules_files::{self, RulesError};
use crate::policy::{Change, Changed};
use crate::rules::PolicySet;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 nobody sees more than before, 1 somebody does, 2 the rules cannot be read or hold errors."
)]
pub(super) struct Args {
    /// The rules as they are: a file or a folder
    old: PathBuf,
    /// The rules as they would be: a file or a folder
    new: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
    #[command(flatten)]
    color: ColorChoice,
}

/// The changes of one database.
type OfDatabase = (Option<String>, Vec<Change>);

pub(super) fn run(args: &Args) -> Exit {
    let (old, new) = match (load(&args.old), load(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(error), _) | (_, Err(error)) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let changes = old.changes(&new, OffsetDateTime::now_utc());
    let sees_more = changes
        .iter()
        .flat_map(|(_, changes)| changes)
        .any(|change| change.sees_more);
    output::print(&match args.format {
        Format::Text => text(
            &changes,
            Paint {
                colour: args.color.stdout(),
            },
        ),
        Format::Json => output::json(&to_json(&changes, sees_more)),
    });
    if sees_more { Exit::Findings } else { Exit::Fine }
}

fn load(path: &Path) -> Result<PolicySet, String> {
    rules_files::load(path).map_err(|error| match error {
        RulesError::Wrong(findings) => format!("there are errors in {}\n\n{findings}", path.display()),
        error @ (RulesError::Unreadable { .. } | RulesError::Empty(_)) => error.to_string(),
    })
}

/// The changes that are not mere consequences: where a role may no longer act for a purpose at all, each
/// column that it saw is; where it newly may, each that it does not see is none.
fn telling(changes: &[Change]) -> Vec<&Change> {
    let admissions: Vec<&Change> = changes
        .iter()
        .filter(|change| change.what == Changed::Admission)
        .collect();
    let admission = |change: &Change| {
        let of = |other: &&&Change| other.role == change.role && other.purpose == change.purpose;
        admissions.iter().find(of).copied()
    };
    let telling = changes.iter().filter(|change| {
        let consequence = |admission: &Change| admission.after == change.after || admission.before == change.before;
        change.what == Changed::Admission || change.sees_more || !admission(change).is_some_and(consequence)
    });
    telling.collect()
}

/// One change, and all for whom it is the same.
struct Alike<'c> {
    change: &'c Change,
    whom: Vec<(Option<&'c str>, Vec<&'c str>)>,
}

/// Changes that are the same for several roles or purposes, together; in order of what they are about.
fn alike<'c>(changes: &[&'c Change]) -> Vec<Alike<'c>> {
    let mut all: BTreeMap<_, Alike<'_>> = BTreeMap::new();
    for change in changes {
        let key = (&change.what, &change.before, &change.after, change.sees_more);
        let alike = all.entry(key).or_insert_with(|| Alike {
            change,
            whom: Vec::new(),
        });
        let role = change.role.as_deref();
        let purpose = change.purpose.as_deref();
        match alike.whom.iter_mut().find(|(other, _)| *other == role) {
            None => alike.whom.push((role, purpose.into_iter().collect())),
            Some((_, purposes)) => purposes.extend(purpose),
        }
    }
    all.into_values().collect()
}

fn text(databases: &[OfDatabase], paint: Paint) -> String {
    let mut parts = Vec::new();
    let named = databases.iter().filter(|(_, changes)| !changes.is_empty());
    for (database, changes) in named {
        if let Some(name) = database {
            parts.push(paint.show(&format!("database {name}"), Tone::Strong));
        }
        parts.extend(alike(&telling(changes)).iter().map(|alike| shown(alike, paint)));
    }
    parts.push(summary(databases));
    parts.join("\n\n")
}

fn shown(alike: &Alike<'_>, paint: Paint) -> String {
    let change = alike.change;
    let (sign, tone) = if change.sees_more {
        ("+", Tone::Refused)
    } else {
        ("-", Tone::Shown)
    };
    let value = |text: &str| {
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text.to_owned()
        }
    };
    let mut lines = vec![
        paint.show(&format!("{sign} {}", about(&change.what)), tone),
        format!("    was  {}", value(&change.before)),
        format!("    is   {}", value(&change.after)),
    ];
    for (role, purposes) in &alike.whom {
        lines.push(match (role, purposes.as_slice()) {
            (None, _) => "    for  all roles".to_owned(),
            (Some(role), []) => format!("    for  {role}"),
            (Some(role), purposes) => format!("    for  {role}: {}", purposes.join(", ")),
        });
    }
    lines.join("\n")
}

fn about(what: &Changed) -> String {
    match what {
        Changed::Rules(key) => (*key).to_owned(),
        Changed::Admission => "admission".to_owned(),
        Changed::Column(table, column) => format!("{table}.{column}"),
        Changed::Rows(table) => format!("rows of {table}"),
        Changed::Writes(table) => format!("writes into {table}"),
    }
}

fn summary(databases: &[OfDatabase]) -> String {
    let changes = || databases.iter().flat_map(|(_, changes)| changes);
    let more = changes().filter(|change| change.sees_more).count();
    match (changes().count(), more) {
        (0, _) => "nothing changes for anybody".to_owned(),
        (_, 0) => "nobody sees more than before".to_owned(),
        (all, more) => format!("somebody sees more than before: {more} of {all} changes (+)"),
    }
}

fn to_json(databases: &[OfDatabase], sees_more: bool) -> Value {
    let databases: Vec<Value> = databases
        .iter()
        .map(|(database, changes)| json!({"database": database, "changes": changes.iter().map(change).collect::<Vec<Value>>()}))
        .collect();
    json!({"sees_more": sees_more, "databases": databases})
}

fn change(change: &Change) -> Value {
    let (kind, table, column) = match &change.what {
        Changed::Rules(key) => (*key, None, None),
        Changed::Admission => ("admission", None, None),
        Changed::Column(table, column) => ("column", Some(table), Some(column)),
        Changed::Rows(table) => ("rows", Some(table), None),
        Changed::Writes(table) => ("writes", Some(table), None),
    };
    json!({
        "what": kind,
        "table": table.map(ToString::to_string),
        "column": column,
        "role": change.role,
        "purpose": change.purpose,
        "before": change.before,
        "after": change.after,
        "sees_more": change.sees_more,
    })
}
