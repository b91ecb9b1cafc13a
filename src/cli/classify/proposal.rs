//! The proposal: a rules file in which each line says why. It observes, grants one purpose to the roles that
//! log in, and shows all to it; what to take away is for people to decide.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Table;
use super::judge::Finding;
use crate::catalog::{Catalog, QualifiedName};

/// Categories that the law protects more (GDPR Art. 9 and 10).
const SENSITIVE: &[&str] = &[
    "user.health_and_medical",
    "user.biometric",
    "user.criminal_history",
    "user.demographic.race_ethnicity",
    "user.demographic.religious_belief",
    "user.demographic.political_opinion",
    "user.demographic.sexual_orientation",
    "user.demographic.trade_union",
];

/// A mask for each category that has a natural one, for texts.
const MASKS: &[(&str, &str)] = &[
    ("user.contact.email", "{email: {}}"),
    ("user.name", "{partial: {prefix: 1, suffix: 0, fill: \"*\"}}"),
    (
        "user.contact.phone_number",
        "{partial: {prefix: 3, suffix: 2, fill: \"*\"}}",
    ),
    (
        "user.financial.credit_card",
        "{partial: {prefix: 0, suffix: 4, fill: \"*\"}}",
    ),
];

pub(super) fn yaml(tables: &[Table], catalog: &Catalog) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut out, tables, catalog);
    let _ = categories(&mut out, tables);
    let _ = write!(out, "\ntables:\n");
    for table in tables {
        let _ = table_entry(&mut out, table);
    }
    let _ = tail(&mut out, tables);
    out.trim_end().to_owned()
}

fn head(out: &mut String, tables: &[Table], catalog: &Catalog) -> std::fmt::Result {
    let columns: usize = tables.iter().map(|t| t.columns.len()).sum();
    let personal = tables
        .iter()
        .flat_map(|t| &t.columns)
        .filter(|c| c.category != "system")
        .count();
    let database = key(&catalog.database);
    write!(
        out,
        "# Proposed by `pgpurpose classify` for database {database}: {} tables, {columns} columns, {personal} of them personal.\n\
         # Behind each line stands how sure it is, from 0 to 1, and by what evidence. Read all of it: what is wrong here is\n\
         # enforced later. Then: pgpurpose check FILE --against URL\n\n\
         version: 1\n\
         revision: proposal\n\
         databases: [{database}]\n\
         mode: observe                     # nothing is refused or masked for a rule; the audit says what would be\n\n\
         purposes:\n  \
           service: {{title: Provide the service}}     # what the data was collected for: say it in your words, and split it\n\n\
         roles:                            # who logs in; grant to each only what it does\n",
        tables.len()
    )?;
    let privileges = catalog.privileges.as_ref();
    let reads = |name: &str| {
        let held = privileges.and_then(|p| p.of(name));
        held.is_some_and(|held| tables.iter().any(|t| held.may_select_some(t.relation.oid)))
    };
    let roles = privileges.map(|p| &p.roles).into_iter().flatten();
    let login = roles.filter(|(name, role)| role.login && !role.superuser && reads(name));
    let mut login: Vec<&String> = login.map(|(name, _)| name).collect();
    login.sort();
    if login.is_empty() {
        writeln!(
            out,
            "  application: {{purposes: [service], default_purpose: service}}     # no role but superusers logs in"
        )?;
    }
    for role in login {
        writeln!(
            out,
            "  {}: {{purposes: [service], default_purpose: service}}",
            key(role)
        )?;
    }
    Ok(())
}

fn categories(out: &mut String, tables: &[Table]) -> std::fmt::Result {
    write!(
        out,
        "\ndata_categories:                  # keys are those of fideslang\n  system: {{sensitivity: none}}\n  user: {{sensitivity: personal}}\n"
    )?;
    let used: BTreeSet<&str> = tables.iter().flat_map(|t| &t.columns).map(|c| c.category).collect();
    let within = |ancestor: &str| used.iter().any(|category| crate::policy::within(category, ancestor));
    for (category, mask) in MASKS.iter().filter(|(category, _)| within(category)) {
        writeln!(out, "  {category}: {{mask: {mask}}}")?;
    }
    for category in SENSITIVE.iter().filter(|category| within(category)) {
        writeln!(out, "  {category}: {{sensitivity: sensitive}}     # GDPR Art. 9 and 10")?;
    }
    Ok(())
}

fn table_entry(out: &mut String, table: &Table) -> std::fmt::Result {
    let name = table_key(&table.relation.name);
    let about = match table.rows {
        0 => "no rows were looked at".to_owned(),
        rows => format!("{rows} rows were looked at"),
    };
    let personal = table.columns.iter().any(|c| c.category != "system");
    if !personal && table.subject.is_none() {
        let unsure = table.columns.iter().any(|c| !c.evidence.is_empty());
        if !unsure {
            return writeln!(
                out,
                "  {name}: {{columns: {{\"*\": system}}}}     # nothing personal was found; {about}"
            );
        }
    }
    writeln!(out, "  {name}:     # {about}")?;
    if let Some(subject) = &table.subject {
        let of = subject
            .of
            .as_ref()
            .map(|of| format!(", of: {}", table_key(of)))
            .unwrap_or_default();
        writeln!(
            out,
            "    data_subject: {{key: {}{of}}}     # {}",
            key(&subject.key),
            subject.evidence
        )?;
    }
    writeln!(out, "    collected_for: [service]\n    columns:")?;
    for finding in &table.columns {
        let others = table.subject.iter().flat_map(|s| &s.others);
        let other = others.into_iter().find(|(column, _)| *column == finding.column);
        column(out, finding, other.map(|(_, root)| root))?;
    }
    Ok(())
}

fn column(out: &mut String, finding: &Finding, other: Option<&QualifiedName>) -> std::fmt::Result {
    let name = key(&finding.column);
    let what = match other {
        Some(root) => format!(
            "{{data_category: {}, data_subject: {{key: {name}, of: {}}}}}",
            finding.category,
            table_key(root)
        ),
        None => finding.category.to_owned(),
    };
    let evidence = finding.evidence.join("; ");
    let why = match (finding.category, evidence.is_empty()) {
        ("system", true) => String::new(),
        ("system", false) => format!("     # {:.2} {evidence}", finding.confidence),
        _ => format!("     # {:.2} {evidence}", finding.confidence),
    };
    // Names of the database may hold a line's end; comments may not.
    let why = why.replace(['\n', '\r'], " ");
    writeln!(out, "      {name}: {what}{why}")
}

fn tail(out: &mut String, tables: &[Table]) -> std::fmt::Result {
    let names: Vec<String> = tables.iter().map(|t| table_key(&t.relation.name)).collect();
    write!(
        out,
        "\nrelease:                          # all to the one purpose, so that nothing breaks; then take away\n  \
         - {{purposes: [service], data_categories: [user], as: raw}}\n\n\
         writes:\n  \
         - purposes: [service]\n    allow: [insert, update, delete]\n    tables:\n"
    )?;
    names.iter().try_for_each(|name| writeln!(out, "      - {name}"))
}

/// A name as a YAML key or item.
fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let word = matches!(
        name,
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    match plain && !word {
        true => name.to_owned(),
        false => serde_json::Value::from(name).to_string(),
    }
}

/// `schema.table`, words with dots in double quotes.
fn table_key(name: &QualifiedName) -> String {
    let word = |word: &str| match word.contains('.') {
        true => format!("\"{word}\""),
        false => word.to_owned(),
    };
    let dotted = format!("{}.{}", word(&name.schema), word(&name.name));
    let plain = dotted
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
    match plain && dotted.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => dotted,
        false => serde_json::Value::from(dotted).to_string(),
    }
}
