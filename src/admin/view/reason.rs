//! The codes of refusals in plain words, and what would let such a statement pass.

use crate::policy::Policy;

/// What a code says, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// What happened.
    pub what: &'static str,
    /// What to do about it, if it should pass.
    pub remedy: &'static str,
}

/// Of a code; of one that this version does not know, nothing.
pub fn of(code: &str) -> Reason {
    let (what, remedy) = match code {
        "purpose_missing" => (
            "no access purpose was declared",
            "declare one in the application, or give the role a default_purpose",
        ),
        "purpose_unknown" => (
            "the declared purpose is not in the rules",
            "correct its name, or add it under purposes",
        ),
        "purpose_prohibited" => ("nobody may ever act for this purpose", "nothing: no rule can allow it"),
        "purpose_expired" => ("the purpose is over", "declare break-glass anew, or move its expires"),
        "purpose_not_granted" => (
            "the role may not act for this purpose",
            "grant it under roles, if that is right",
        ),
        "purpose_conflict" => (
            "two declarations disagree, or a cursor was read under another purpose",
            "declare one purpose, and read cursors under the one they were opened for",
        ),
        "reason_missing" => (
            "the purpose needs a reason",
            "set pgpurpose.reason, to a ticket or case number",
        ),
        "subject_missing" => (
            "the purpose is about one person, and none was named",
            "set pgpurpose.subject",
        ),
        "recipient_not_assured" => (
            "the recipient is a processor without an assurance in force",
            "renew it under recipients",
        ),
        "transfer_not_allowed" => (
            "the recipient's region has no adequacy and no assurance",
            "add an assurance, or the region under transfers",
        ),
        "column_refused" => (
            "a rule refuses this column for the purpose",
            "leave the column out, or change the rule",
        ),
        "predicate_refused" => (
            "the column may be shown, not searched, joined or sorted by",
            "use it in the output only, or change the rule's predicates",
        ),
        "table_unclassified" => ("no rule speaks of the table", "give it an entry under tables"),
        "column_unclassified" => (
            "no rule speaks of the column",
            "give it a data category in its table's entry",
        ),
        "function_not_allowed" => (
            "a function, operator or type is not on the list",
            "name it under functions: {allow: […]}, if it is harmless",
        ),
        "statement_not_allowed" => ("this kind of statement is not served", "write it otherwise"),
        "write_not_allowed" => (
            "the purpose may not write here",
            "allow it under writes, if that is right",
        ),
        "classification_downgrade" => (
            "protected data would be written where it is less protected",
            "give the target the same category or a more sensitive one",
        ),
        "child_data" => ("personal data of a child", "nothing: it is not to be stored"),
        "aggregate_required" => (
            "the purpose gets statistics only",
            "ask for groups: count, sum, avg over many people",
        ),
        "too_many_rows" => (
            "more rows than the purpose's max_rows",
            "ask for fewer, or raise max_rows",
        ),
        "too_many_queries" => (
            "more queries on one day than the purpose's max_queries_per_day",
            "ask tomorrow, or raise max_queries_per_day",
        ),
        "not_understood" => (
            "the statement could not be read, or given no meaning",
            "write it otherwise",
        ),
        "not_verified" => (
            "the outgoing text was not what was planned: a fault of ours",
            "report it",
        ),
        "audit_unavailable" => ("the audit could not be written", "free the disk; it recovers by itself"),
        _ => ("", ""),
    };
    Reason { what, remedy }
}

/// The YAML line that would let it pass, where one line can: nothing where no rule may, or where it is
/// a question of how the statement is written.
pub fn yaml(code: &str, role: &str, purpose: &str, policy: &Policy) -> Option<String> {
    let role_rule = policy.roles.get(role);
    match code {
        "purpose_not_granted" if policy.purposes.contains_key(purpose) => {
            let mut purposes: Vec<&str> = role_rule?.purposes.iter().map(String::as_str).collect();
            purposes.push(purpose);
            Some(format!("roles:\n  {role}: {{purposes: [{}]}}", purposes.join(", ")))
        }
        "purpose_missing" => {
            let purposes = &role_rule?.purposes;
            let first = purposes.first()?;
            Some(format!(
                "roles:\n  {role}: {{purposes: [{}], default_purpose: {first}}}",
                purposes.join(", ")
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Code;

    #[test]
    fn each_code_has_its_words() {
        for code in Code::ALL {
            let reason = of(code.as_str());
            assert!(!reason.what.is_empty() && !reason.remedy.is_empty(), "{code}");
        }
    }
}
