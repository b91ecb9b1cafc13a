//! Checks on what a write stores that depend on the person whose data it is.

use crate::catalog::Relation;
use crate::policy::{ChildrenRule, Policy, TableRule, Verb};

/// Personal data of children may not be stored (policy.md section 8).
///
/// # Errors
/// Why a write is refused: this version makes no check inside the statement, so where a person's age
/// decides, a table under the rule is written only if it is not the root's own birth date that counts.
pub fn children(_relation: &Relation, verb: Verb, policy: &Policy, rule: &TableRule) -> Result<(), String> {
    let Some(ChildrenRule { under, place, .. }) = &policy.children else {
        return Ok(());
    };
    let word = match verb {
        Verb::Insert => "inserting",
        Verb::Update => "updating",
        Verb::Delete => return Ok(()),
    };
    Err(format!(
        "{word} personal data in {} needs a check for children under {under} ({place})",
        rule.name
    ))
}
