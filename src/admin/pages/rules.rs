//! Who sees what.

use askama::Template;
use time::OffsetDateTime;

use crate::pages::matrix_tables;

use super::super::question::{Question, encoded};
use super::{Face, Failure, Frame, Made, Visitor};

struct Choice {
    label: String,
    link: String,
    here: bool,
}

#[derive(Template)]
#[template(path = "rules.html", config = "src/admin/askama.toml")]
struct RulesPage {
    frame: Frame,
    databases: Vec<Choice>,
    roles: Vec<Choice>,
    revision: String,
    sha256: String,
    contact: String,
    tables: String,
}

/// Who sees what.
pub fn rules(face: &Face, parameters: &[(String, String)], visitor: &Visitor) -> Made {
    let of = |key: &str| {
        parameters
            .iter()
            .find(|(k, _)| k == key)
            .map_or("", |(_, v)| v.as_str())
    };
    let rules = face.shared.rules.load_full();
    let policies: Vec<_> = rules
        .set
        .policies()
        .map(|(name, policy)| (name.unwrap_or_default(), policy))
        .collect();
    let chosen = policies
        .iter()
        .find(|(name, _)| *name == of("database"))
        .or_else(|| policies.first());
    let (database, policy) = chosen.ok_or(Failure::NotFound("There are no rules."))?;
    let role = Some(of("role")).filter(|role| policy.roles.contains_key(*role));
    let matrix = policy.matrix(role, OffsetDateTime::now_utc()).ok_or(Failure::Fault)?;
    let link = |database: &str, role: &str| {
        let role = encoded(role);
        format!("/rules?database={}&role={role}", encoded(database))
    };
    let databases = policies.iter().map(|(name, _)| Choice {
        label: if name.is_empty() {
            "all others".into()
        } else {
            (*name).to_owned()
        },
        link: link(name, ""),
        here: name == database,
    });
    let everybody = Choice {
        label: "any role".into(),
        link: link(database, ""),
        here: role.is_none(),
    };
    let roles = policy.roles.keys().map(|name| Choice {
        label: name.clone(),
        link: link(database, name),
        here: role == Some(name),
    });
    let page = RulesPage {
        frame: Frame::new(face, visitor, &Question::new(&[]), "/rules"),
        databases: databases.collect(),
        roles: std::iter::once(everybody).chain(roles).collect(),
        revision: policy.revision.clone(),
        sha256: rules.set.sha256().to_owned(),
        contact: policy.contact.clone().unwrap_or_default(),
        tables: matrix_tables(policy, &matrix),
    };
    Ok(page.render()?)
}
