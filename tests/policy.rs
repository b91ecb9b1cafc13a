//! Admission and decision as tables: who asks, and what is answered, under `tests/policy/rules.yaml`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

use std::path::Path;
use std::sync::Arc;

use pgpurpose::catalog::QualifiedName;
use pgpurpose::cli::rules_files;
use pgpurpose::policy::{Admission, Condition, Declaration, Denial, Policy, RowFilter, Verb, WriteEntry};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-05-31 23:59:59 UTC);
const LATER: OffsetDateTime = datetime!(2026-06-01 00:00:00 UTC);

fn policy() -> Arc<Policy> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy/rules.yaml");
    match rules_files::load(&rules) {
        Ok(set) => set.for_database("any").unwrap(),
        Err(error) => panic!("{error}"),
    }
}

fn table(name: &str) -> QualifiedName {
    QualifiedName::new("s", name)
}

fn declared(purpose: &str, reason: &str, subject: &str) -> Declaration {
    let given = |text: &str| (text != "-").then(|| text.to_owned());
    Declaration {
        purpose: given(purpose),
        reason: given(reason),
        subject: given(subject),
        actor: None,
    }
}

fn admit<'p>(policy: &'p Policy, role: &str, purpose: &str) -> Admission<'p> {
    match policy.admit(role, &declared(purpose, "T-1", "s.people:1"), NOW) {
        Ok(admission) => admission,
        Err(denial) => panic!("{role} for {purpose}: {denial:?}"),
    }
}

#[test]
fn admission_answers_the_first_reason_against_it() {
    let policy = policy();
    let cases = [
        // role, purpose, reason, subject, now, answer: the purpose admitted, or the code.
        ("app", "-", "-", "-", NOW, "care.support"),
        ("app", "", "-", "-", NOW, "care.support"),
        ("all", "-", "-", "-", NOW, "purpose_missing"),
        ("all", "", "-", "-", NOW, "purpose_missing"),
        ("stranger", "-", "-", "-", NOW, "purpose_missing"),
        // A bad purpose never falls back to the default.
        ("app", "crae", "-", "-", NOW, "purpose_unknown"),
        ("app", "Care", "-", "-", NOW, "purpose_unknown"),
        ("app", "care ", "-", "-", NOW, "purpose_unknown"),
        ("app", "care.unheard", "-", "-", NOW, "purpose_unknown"),
        ("app", "care", "-", "-", NOW, "care"),
        ("app", "care.support.chat", "-", "-", NOW, "care.support.chat"),
        // A grant covers children, not parents or siblings.
        ("app", "marketing.email", "-", "-", NOW, "marketing.email"),
        ("app", "marketing", "-", "-", NOW, "purpose_not_granted"),
        ("app", "fraud", "-", "-", NOW, "purpose_not_granted"),
        ("none", "care", "-", "-", NOW, "purpose_not_granted"),
        ("stranger", "care", "-", "-", NOW, "purpose_not_granted"),
        // Prohibited comes before not granted, and covers children.
        ("app", "sale", "-", "-", NOW, "purpose_prohibited"),
        ("app", "sale.bulk", "-", "-", NOW, "purpose_prohibited"),
        ("none", "sale", "-", "-", NOW, "purpose_prohibited"),
        // `expires` is the first day on which nobody can act.
        ("app", "pilot", "-", "-", NOW, "pilot"),
        ("app", "pilot", "-", "-", LATER, "purpose_expired"),
        ("none", "pilot", "-", "-", LATER, "purpose_expired"),
        ("app", "pilot.late", "-", "-", LATER, "pilot.late"),
        (
            "app",
            "pilot",
            "-",
            "-",
            datetime!(2026-05-31 23:30 -1),
            "purpose_expired",
        ),
        ("app", "pilot", "-", "-", datetime!(2026-06-01 00:30 +1), "pilot"),
        ("app", "audit", "-", "-", NOW, "reason_missing"),
        ("app", "audit", "", "-", NOW, "reason_missing"),
        ("app", "audit", " \t", "-", NOW, "reason_missing"),
        ("app", "audit", "T-1", "-", NOW, "audit"),
        ("app", "emergency", "-", "-", NOW, "reason_missing"),
        ("app", "emergency", "T-1", "-", NOW, "emergency"),
        ("app", "subject_access", "-", "-", NOW, "subject_missing"),
        ("app", "subject_access", "-", "", NOW, "subject_missing"),
        // With several roots the subject says whose key it is.
        ("app", "subject_access", "-", "7", NOW, "subject_missing"),
        ("app", "subject_access", "-", "s.nobody:7", NOW, "subject_missing"),
        ("app", "subject_access", "-", "s.people:", NOW, "subject_missing"),
        ("app", "subject_access", "-", "s.people:7", NOW, "subject_access"),
        ("app", "subject_access", "-", "s.agents:7:8", NOW, "subject_access"),
        ("dialer", "care", "-", "-", NOW, "care"),
        ("dialer", "care", "-", "-", LATER, "recipient_not_assured"),
        ("partner", "care", "-", "-", LATER, "care"),
    ];
    for (role, purpose, reason, subject, now, expected) in cases {
        let answer = match policy.admit(role, &declared(purpose, reason, subject), now) {
            Ok(admission) => admission.purpose().name.clone(),
            Err(denial) => denial.code.to_string(),
        };
        assert_eq!(
            answer, expected,
            "{role} for {purpose:?}, reason {reason:?}, subject {subject:?}, {now}"
        );
    }
}

#[test]
fn hints_name_what_the_role_may_use() {
    let policy = policy();
    let hint = |role: &str, purpose: &str, now| {
        let denial: Denial = policy.admit(role, &declared(purpose, "-", "-"), now).unwrap_err();
        denial.hint.unwrap()
    };
    assert_eq!(
        hint("app", "marketing", NOW),
        "role \"app\" may use: audit, care, care.support, care.support.chat, emergency, marketing.email, pilot, \
         pilot.late, subject_access"
    );
    assert!(
        !hint("app", "fraud", LATER).contains("pilot,"),
        "expired ones are left out"
    );
    assert!(hint("app", "care.suport", NOW).starts_with("did you mean \"care.support\"? role \"app\" may use: "));
    assert!(
        !hint("app", "fruad", NOW).contains("did you mean"),
        "only what the role may use is suggested"
    );
    assert_eq!(hint("none", "care", NOW), "role \"none\" may use no purpose");
}

#[test]
fn a_plan_depends_on_assurance_and_root() {
    let policy = policy();
    let variant = |role: &str, purpose: &str, subject: &str, now| {
        let variant = policy
            .admit(role, &declared(purpose, "-", subject), now)
            .unwrap()
            .plan_variant();
        (
            variant.recipient_assured,
            variant.subject_root.map(|root| root.to_string()),
        )
    };
    assert_eq!(variant("assured", "care", "-", NOW), (true, None));
    assert_eq!(variant("assured", "care", "-", LATER), (false, None));
    assert_eq!(
        variant("app", "subject_access", "s.agents:1", NOW),
        (false, Some("s.agents".to_owned()))
    );
    assert_eq!(variant("app", "care", "s.agents:1", NOW), (false, None));
}

fn condition(condition: &Condition) -> String {
    let kind = if condition.opt_in { "in" } else { "out" };
    format!(
        "{kind}[{} of {}: {}]",
        condition.key,
        condition.root,
        condition.purposes.join(",")
    )
}

fn filter(filter: &RowFilter) -> String {
    match filter {
        RowFilter::Where { sql, .. } => format!("where {sql}"),
        RowFilter::OneSubject { key } => format!("subject {key}"),
        RowFilter::Retention { column, keep, .. } => format!("keep {column} {keep}"),
        RowFilter::Children {
            key,
            root,
            birth_date,
            under,
            ..
        } => {
            format!("children {key} of {root}.{birth_date} under {under}")
        }
        RowFilter::Transfer {
            key,
            root,
            region,
            restricted,
            ..
        } => {
            format!("transfer {key} of {root}.{region} not {}", restricted.join(","))
        }
        RowFilter::Consent(of) => format!("consent {}", condition(of)),
    }
}

/// `column=form condition…` of each column asked about, then the filters; or the code of a denial.
fn decided(policy: &Policy, role: &str, purpose: &str, name: &str, columns: &[&str]) -> (String, String) {
    let admission = admit(policy, role, purpose);
    let decision = match policy.decide(&admission, &table(name), columns).unwrap() {
        Ok(decision) => decision,
        Err(denial) => return (denial.code.to_string(), String::new()),
    };
    let columns = decision.columns.iter().map(|column| {
        let mut text = format!("{}={}", column.column, column.form.name());
        for of in &column.conditions {
            text += &format!(" {}", condition(of));
        }
        if column.predicates_refused {
            text += " !predicates";
        }
        text
    });
    let columns: Vec<String> = columns.collect();
    let filters: Vec<String> = decision.filters.iter().map(filter).collect();
    (columns.join("; "), filters.join("; "))
}

const CHILDREN: &str = "children id of s.people.born under 13";
const FRIENDS: &str = "children friend_id of s.people.born under 13";
const MARKETING: &str = "out[id of s.people: marketing.email,marketing]";
const ABROAD: &str = "transfer id of s.people.region not eu";

#[test]
fn columns_are_released_in_the_strictest_form() {
    let policy = policy();
    let cases: [(&str, &str, &str, &[&str], String, String); 27] = [
        // Within what it was collected for: necessity alone.
        ("all", "care", "people", &["id", "name", "email"], "id=raw; name=raw; email=hidden".into(), format!("{FRIENDS}; {CHILDREN}")),
        // A deeper purpose speaks first; `predicates` come with the entry.
        ("all", "care.support", "people", &["email", "name"], "email=email !predicates; name=raw".into(), String::new()),
        // The deeper category before the deeper purpose.
        ("all", "care.support.chat", "people", &["email", "name"], "email=email !predicates; name=refuse".into(), String::new()),
        // `columns` before categories, and among them the deeper purpose.
        ("all", "care", "people", &["health"], "health=constant".into(), format!("{FRIENDS}; {CHILDREN}")),
        ("all", "care.support.chat", "people", &["health"], "health=raw".into(), String::new()),
        // Compatible: no consent needed. Refuse is stricter than anything.
        ("all", "fraud", "people", &["name", "health", "never"], "name=raw; health=raw; never=refuse".into(), format!("{FRIENDS}; {CHILDREN}")),
        // Not compatible: other_purpose decides, with the purpose and its ancestors.
        ("all", "marketing.email", "people", &["name"], format!("name=raw {MARKETING}"), format!("{FRIENDS}; {CHILDREN}")),
        ("all", "marketing", "people", &["health"], "health=raw in[id of s.people: marketing]".into(), format!("{FRIENDS}; {CHILDREN}")),
        ("all", "marketing", "people", &["never", "device", "secret"], "never=hidden; device=raw; secret=hidden".into(), format!("{FRIENDS}; {CHILDREN}")),
        // Persons of their own: without consent records hidden, else asked for themselves.
        ("all", "marketing", "people", &["agent", "friend"], "agent=hidden; friend=raw out[friend_id of s.people: marketing]".into(), format!("{FRIENDS}; {CHILDREN}")),
        // No release entry: hidden above none, raw at none.
        ("all", "statistics", "people", &["id", "name", "secret"], "id=raw; name=hidden; secret=hidden".into(), format!("{FRIENDS}; {CHILDREN}")),
        // No rule: hidden.
        ("all", "care", "people", &["unheard"], "unheard=hidden".into(), format!("{FRIENDS}; {CHILDREN}")),
        // collected_for care.support: care itself is another purpose, its rows are filtered.
        ("all", "care", "notes", &["id", "text"], "id=raw; text=raw".into(),
            "where not archived; children person_id of s.people.born under 13; \
             consent out[person_id of s.people: care]; consent in[person_id of s.people: care]".into()),
        ("all", "care.support", "notes", &["id", "text"], "id=raw; text=raw".into(), "where not archived; where kind = 1".into()),
        ("all", "fraud", "notes", &["text"], "text=raw".into(), "where kind = 1; children person_id of s.people.born under 13".into()),
        ("all", "marketing", "notes", &["id"], "id=raw".into(),
            "keep at 1 year; children person_id of s.people.born under 13; consent in[person_id of s.people: marketing]".into()),
        // Retention for all purposes; a table without a subject.
        ("all", "care", "log", &["id"], "id=raw".into(), "keep at 30 days".into()),
        ("all", "marketing", "products", &["a", "b"], "a=raw; b=raw".into(), String::new()),
        ("all", "marketing", "anonymous", &["id", "email"], "id=raw; email=hidden".into(), String::new()),
        // One subject: own data needs no consent and is a child's too; other persons in the row are hidden.
        ("all", "subject_access", "people", &["name", "health", "never", "agent", "friend"],
            "name=raw; health=raw; never=raw; agent=hidden; friend=hidden".into(), "subject id".into()),
        ("all", "subject_access", "notes", &["id", "text"], "id=raw; text=raw".into(), "subject person_id".into()),
        ("all", "subject_access", "agents", &["id", "name"], "id=raw; name=hidden".into(), String::new()),
        ("all", "subject_access", "anonymous", &["id", "email"], "id=raw; email=hidden".into(), String::new()),
        // Third parties: third_party decides too.
        ("near", "care", "people", &["id", "name", "health", "never", "device"],
            "id=raw; name=raw out[id of s.people: third_parties]; health=constant in[id of s.people: third_parties]; \
             never=raw; device=hidden".into(), format!("{FRIENDS}; {CHILDREN}")),
        ("partner", "marketing", "people", &["name"],
            "name=raw out[id of s.people: marketing] out[id of s.people: third_parties]".into(), format!("{FRIENDS}; {CHILDREN}; {ABROAD}")),
        // Where the region cannot be known, nothing is disclosed; of nobody's data everything.
        ("partner", "care", "anonymous", &["id"], "transfer_not_allowed".into(), String::new()),
        ("partner", "care", "products", &["id"], "id=raw".into(), String::new()),
    ];
    for (role, purpose, name, columns, expected, filters) in cases {
        let shown = decided(&policy, role, purpose, name, columns);
        assert_eq!(shown, (expected, filters), "{role} for {purpose}, s.{name}");
    }
}

#[test]
fn transfers_look_at_region_and_assurance() {
    let policy = policy();
    let answer = |role: &str, name: &str| decided(&policy, role, "care", name, &["id"]);
    for role in ["all", "near", "assured", "dialer"] {
        assert!(!answer(role, "people").1.contains("transfer"), "{role}");
        assert_eq!(answer(role, "anonymous").0, "id=raw", "{role}");
    }
    for role in ["partner", "unknown"] {
        assert!(answer(role, "people").1.ends_with(ABROAD), "{role}");
        assert_eq!(answer(role, "agents").0, "transfer_not_allowed", "{role}");
    }
    let now_expired = policy.admit("assured", &declared("care", "-", "-"), LATER).unwrap();
    assert!(policy.decide(&now_expired, &table("agents"), &["id"]).unwrap().is_err());
    let abroad = decided(&policy, "partner", "care", "people", &["agent", "friend"]).0;
    assert_eq!(
        abroad, "agent=hidden; friend=hidden",
        "whose region is not asked for is hidden"
    );
}

#[test]
fn tables_are_protected_by_columns_or_population() {
    let policy = policy();
    let protected: Vec<&str> = ["people", "notes", "agents", "anonymous", "products", "log", "unheard"]
        .into_iter()
        .filter(|name| policy.is_protected(&table(name)))
        .collect();
    assert_eq!(protected, ["people", "notes", "agents", "anonymous", "log"]);
    let admission = admit(&policy, "all", "care");
    let of = |name, columns: &[&str]| {
        policy
            .decide(&admission, &table(name), columns)
            .unwrap()
            .unwrap()
            .protected
    };
    assert!(!of("products", &["a"]));
    assert!(of("log", &["id", "unheard"]), "a column that no rule names is hidden");
    assert!(policy.decide(&admission, &table("unheard"), &[]).is_none());
}

#[test]
fn writes_are_allowed_by_the_deepest_entry() {
    let policy = policy();
    let entry = |purpose: &str, name: &str, verb| -> Option<&WriteEntry> {
        policy.write_entry(&admit(&policy, "all", purpose), &table(name), verb)
    };
    assert!(entry("care", "people", Verb::Update).unwrap().columns.is_empty());
    assert_eq!(
        entry("care.support.chat", "people", Verb::Update).unwrap().columns,
        ["email"]
    );
    assert!(entry("care.support", "people", Verb::Insert).is_some());
    assert!(entry("care", "people", Verb::Delete).is_none());
    assert!(entry("subject_access", "people", Verb::Delete).is_some());
    assert!(entry("marketing", "people", Verb::Insert).is_none());
    assert!(entry("care", "agents", Verb::Insert).is_none());
}

#[test]
fn data_flows_only_where_it_is_as_well_protected() {
    let policy = policy();
    let cases = [
        ("user.name", Some("user.name"), true),
        ("user", Some("user.name"), true),
        ("user.name", Some("user"), false),
        ("user.name", Some("user.email"), false),
        ("user.name", Some("user.health"), true),
        ("user.health", Some("user.name"), false),
        ("user.health", Some("user.health.deep"), true),
        ("user.name", Some("system"), false),
        ("user.name", None, false),
        ("system", None, true),
        ("system", Some("user"), true),
        ("unheard", Some("user.health"), false),
    ];
    for (from, into, expected) in cases {
        assert_eq!(policy.may_flow(from, into), expected, "{from} into {into:?}");
    }
}

#[test]
fn collection_asks_for_consent_whatever_the_purpose() {
    let policy = policy();
    let admission = admit(&policy, "all", "care.support");
    let of = |name: &str, column: &str| policy.collection_condition(&admission, &table(name), column);
    assert!(of("people", "name").is_none());
    let asked = of("people", "device").unwrap().unwrap();
    assert_eq!(condition(&asked), "in[id of s.people: care.support,care]");
}

#[test]
fn no_child_may_be_stored_for_any_purpose() {
    let policy = policy();
    let of = |name: &str| -> Vec<String> {
        policy
            .child_filters(policy.classified(&table(name)).unwrap())
            .iter()
            .map(filter)
            .collect()
    };
    assert_eq!(of("people"), [FRIENDS, CHILDREN]);
    assert_eq!(of("notes"), ["children person_id of s.people.born under 13"]);
    assert!(of("agents").is_empty(), "the root has no birth date");
}

/// An entry of a diff, as `changes.txt` writes it.
fn change_line(change: &pgpurpose::policy::Change) -> String {
    use pgpurpose::policy::Changed;
    let what = match &change.what {
        Changed::Rules(key) => (*key).to_owned(),
        Changed::Admission => "admission".to_owned(),
        Changed::Column(table, column) => format!("{table}.{column}"),
        Changed::Rows(table) => format!("rows of {table}"),
        Changed::Writes(table) => format!("writes of {table}"),
    };
    let whom = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
    let (role, purpose) = (whom(&change.role), whom(&change.purpose));
    let more = if change.sees_more { "more" } else { "less" };
    format!(
        "{role} | {purpose} | {what} | {} | {} | {more}",
        change.before, change.after
    )
}

#[test]
fn a_diff_says_what_changes_for_whom() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    let rules = std::fs::read_to_string(folder.join("rules.yaml")).unwrap();
    let cases = std::fs::read_to_string(folder.join("changes.txt")).unwrap();
    let load = |text: &str| match pgpurpose::rules::load(&[("rules.yaml".to_owned(), text.to_owned())]) {
        Ok(set) => set,
        Err(findings) => panic!("{findings}"),
    };
    let old = load(&rules);
    let mut cases = cases.split("\nchange: ");
    cases.next();
    let mut played = 0;
    for case in cases {
        let (edit, expected) = case.split_once('\n').unwrap();
        let (from, to) = edit.split_once(" => ").unwrap();
        assert!(rules.contains(from), "{from}");
        let new = load(&rules.replacen(from, &to.replace("\\n", "\n"), 1));
        let found = old.changes(&new, NOW);
        let found: Vec<String> = found
            .iter()
            .flat_map(|(_, changes)| changes.iter().map(change_line))
            .collect();
        let expected: Vec<&str> = expected
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        for line in &expected {
            assert!(found.iter().any(|f| f == line), "{edit}: no {line:?} in {found:#?}");
        }
        // A case that lists nothing says that nothing changes.
        assert!(!expected.is_empty() || found.is_empty(), "{edit}: {found:#?}");
        played += 1;
    }
    assert_eq!(played, 13);
    let nobody = pgpurpose::policy::diff(old.for_database("any").as_deref(), None, NOW);
    assert!(
        !nobody.is_empty() && nobody.iter().all(|change| !change.sees_more),
        "{nobody:#?}"
    );
}
