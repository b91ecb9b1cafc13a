//! What was refused to whom, and why.

use askama::Template;
use time::OffsetDateTime;

use crate::audit::tally::{RefusalKey, Refusals};
use crate::policy::Policy;
use crate::rules::PolicySet;

use super::super::question::{Period, Question};
use super::super::view::{reason, words};
use super::{Face, Frame, Made, RuleLine, Visitor, rule_line};

/// Refusals with one code.
struct CodeGroup {
    code: String,
    reason: reason::Reason,
    count: String,
    link: String,
    lines: Vec<RefusalLine>,
}

struct RefusalLine {
    role: String,
    purpose: String,
    actors: String,
    columns: String,
    count: String,
    last: String,
    example: String,
    statement: String,
    rule: Option<RuleLine>,
    yaml: String,
}

#[derive(Template)]
#[template(path = "refused.html", config = "src/admin/askama.toml")]
struct Refused {
    frame: Frame,
    periods: Vec<Period>,
    period: String,
    total: String,
    groups: Vec<CodeGroup>,
}

/// What was refused to whom, and why.
pub fn refused(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    let tally = face.store.tally(&question.key(), &filter)?;
    let rules = face.shared.rules.load_full();
    let mut groups: Vec<CodeGroup> = Vec::new();
    for (code, count) in tally.all.codes.by_count() {
        let mut alike: Vec<(&RefusalKey, &Refusals)> =
            tally.refusals.iter().filter(|(key, _)| key.code == code).collect();
        alike.sort_by_key(|(_, refusals)| std::cmp::Reverse(refusals.count));
        groups.push(CodeGroup {
            code: code.to_owned(),
            reason: reason::of(code),
            count: words::count(count),
            link: question.link("/events", &[("code", code)]),
            lines: alike
                .into_iter()
                .map(|(key, refusals)| refusal_line(&rules.set, key, refusals))
                .collect(),
        });
    }
    groups.retain(|group| !group.lines.is_empty());
    let page = Refused {
        frame: Frame::new(face, visitor, question, "/refused"),
        periods: question.periods("/refused"),
        period: question.period(),
        total: words::counted(tally.all.outcomes.of("refuse"), "statement"),
        groups,
    };
    Ok(page.render()?)
}

fn refusal_line(set: &PolicySet, key: &RefusalKey, refusals: &Refusals) -> RefusalLine {
    let names = |list: Vec<(&str, u64)>| {
        let names = list.into_iter().filter(|(name, _)| !name.is_empty()).take(6);
        names
            .map(|(name, _)| words::visible(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let policies: Vec<&Policy> = set.policies().map(|(_, policy)| policy.as_ref()).collect();
    let yaml = policies
        .iter()
        .find_map(|policy| reason::yaml(&key.code, &key.role, &key.purpose, policy));
    RefusalLine {
        role: words::visible(&key.role),
        purpose: words::visible(&key.purpose),
        actors: names(refusals.actors.by_count()),
        columns: names(refusals.columns.by_count()),
        count: words::count(refusals.count),
        last: words::time(&refusals.last),
        example: uuid::Uuid::parse_str(&refusals.example).map_or_else(|_| String::new(), |id| format!("/events/{id}")),
        statement: words::one_line(&words::visible(&refusals.statement), 160),
        rule: rule_line(set, &key.rule),
        yaml: yaml.unwrap_or_default(),
    }
}
