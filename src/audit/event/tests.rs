//! The events' exact JSON, and what hostile texts can do to it.

use super::record::MOST_FIELDS;
use super::*;
use crate::audit::timestamp;
use crate::pipeline::{Facts, FieldUse, Position};
use crate::policy::Place;
use time::macros::datetime;

pub(crate) fn session_facts() -> Arc<SessionFacts> {
    let client = ([10, 0, 0, 7], 51234).into();
    let (role, application, database) = ("support_app", Some("crm"), "care");
    Arc::new(SessionFacts::new(
        Uuid::from_u128(0xa),
        role,
        application,
        client,
        database,
    ))
}

pub(crate) fn stamp() -> Arc<PolicyStamp> {
    Arc::new(PolicyStamp {
        revision: "2026-11-24".into(),
        sha256: "00ff".into(),
    })
}

pub(crate) fn facts() -> Facts {
    Facts {
        outcome: Outcome::Mask,
        code: None,
        rule: None,
        gaps: Vec::new(),
        statement: Some("SELECT email FROM care.customers WHERE customer_id = $1".into()),
        fingerprint: Some("0123456789abcdef".into()),
        fields: vec![FieldUse {
            column: "care.customers.email".into(),
            data_category: Some("user.contact.email".into()),
            position: Position::Output,
            form: "email",
            condition: None,
            rule: Some(Place {
                file: "customer-care.yaml".into(),
                line: 41,
                column: 5,
            }),
        }],
        observed: false,
        row_filters: vec!["consent", "children"],
        filters: Vec::new(),
    }
}

/// What an event refers to.
pub(crate) struct Ground {
    session: Arc<SessionFacts>,
    facts: SharedFacts,
    policy: Arc<PolicyStamp>,
}

impl Ground {
    pub(crate) fn of(facts: Facts) -> Self {
        Self {
            session: session_facts(),
            facts: facts.into(),
            policy: stamp(),
        }
    }

    pub(crate) fn event(&self) -> StatementEvent<'_> {
        StatementEvent {
            session: &self.session,
            actor: Some("agent-17"),
            purpose: Some("care.support"),
            declared_via: Some(DeclaredVia::Comment),
            reason: Some("T-123"),
            admitted: true,
            legal_basis: Some(LegalBasis::Contract),
            recipient: None,
            subject: None,
            subjects: &[],
            cursor_of: None,
            trace: None,
            tags: &[],
            facts: &self.facts,
            policy: &self.policy,
        }
    }
}

/// The same event each time.
pub(crate) fn statement_event() -> StatementEvent<'static> {
    static GROUND: std::sync::LazyLock<Ground> = std::sync::LazyLock::new(|| Ground::of(facts()));
    GROUND.event()
}

const TIME: OffsetDateTime = datetime!(2026-11-24 06:41:05.00012 UTC);

fn body(event: &Event) -> String {
    String::from_utf8(event.body(Uuid::from_u128(0xb), TIME)).expect("UTF-8")
}

fn statement_body(event: &StatementEvent<'_>) -> String {
    String::from_utf8(event.body(Uuid::from_u128(0xb), TIME)).expect("UTF-8")
}

#[test]
fn a_statement_is_written_field_by_field_in_the_published_order() {
    assert_eq!(
        statement_body(&statement_event()),
        concat!(
            r#","time":"2026-11-24T06:41:05.000120Z","event":"statement","id":"00000000-0000-0000-0000-00000000000b","#,
            r#""session":"00000000-0000-0000-0000-00000000000a","role":"support_app","actor":"agent-17","#,
            r#""application":"crm","client":"10.0.0.7:51234","database":"care","purpose":"care.support","#,
            r#""declared_via":"comment","reason":"T-123","legal_basis":"contract","recipient":"controller","#,
            r#""subject":null,"cursor_of":null,"outcome":"mask","code":null,"#,
            r#""statement":"SELECT email FROM care.customers WHERE customer_id = $1","#,
            r#""fingerprint":"0123456789abcdef","#,
            r#""fields":[{"column":"care.customers.email","data_category":"user.contact.email","#,
            r#""position":"output","form":"email","rule":"customer-care.yaml:41"}],"#,
            r#""row_filters":["consent","children"],"policy":{"revision":"2026-11-24","sha256":"00ff"}"#,
        )
    );
}

/// All events but statements and those that end them, and how each ends as JSON.
pub(crate) fn other_events() -> Vec<(Event, &'static str)> {
    let session = session_facts();
    vec![
        (Event::Start { version: "1.0" }, r#""version":"1.0""#),
        (Event::Stop, r#""id":"00000000-0000-0000-0000-00000000000b""#),
        (
            Event::Login {
                session: Arc::clone(&session),
                outcome: Outcome::Refuse,
                code: None,
                sqlstate: Some(SqlState::new("28P01")),
                policy: None,
            },
            r#""database":"care","outcome":"refuse","code":null,"sqlstate":"28P01","policy":null"#,
        ),
        (
            Event::Logout {
                session: Arc::clone(&session),
                duration_us: 7,
            },
            r#""database":"care","duration_us":7"#,
        ),
        (
            Event::Reload {
                accepted: false,
                errors: 2,
            },
            r#""accepted":false,"errors":2"#,
        ),
        (
            Event::PolicyChanged {
                database: Some("care".into()),
                before: None,
                after: stamp(),
                changes: vec![CellChange {
                    purpose: Some("care".into()),
                    role: None,
                    what: "column",
                    name: Some("care.customers.email".into()),
                    before: "hidden".into(),
                    after: "email".into(),
                    sees_more: true,
                }],
            },
            concat!(
                r#""database":"care","before":null,"policy":{"revision":"2026-11-24","sha256":"00ff"},"changes_total":1,"#,
                r#""changes":[{"purpose":"care","role":null,"what":"column","name":"care.customers.email","before":"hidden","after":"email","sees_more":true}]"#
            ),
        ),
        (
            Event::BreakGlass {
                session,
                actor: None,
                purpose: "emergency".into(),
                reason: Some("fire".into()),
                phase: BreakGlassPhase::Began { until: TIME },
                policy: stamp(),
            },
            concat!(
                r#""purpose":"emergency","reason":"fire","phase":"began","until":"2026-11-24T06:41:05.000120Z","#,
                r#""policy":{"revision":"2026-11-24","sha256":"00ff"}"#
            ),
        ),
        (
            Event::Recovered(Recovery::Torn { bytes: 17 }),
            r#""cause":"torn","torn_bytes":17"#,
        ),
        (Event::Recovered(Recovery::FileGone), r#""cause":"file_gone""#),
        (
            Event::Stopped {
                session: session_facts(),
                of: None,
                table: 16_401,
                column: 3,
            },
            r#""of":null,"cause":"hidden_column_came_back_raw","table_oid":16401,"column_number":3"#,
        ),
        (
            Event::SinkDropped {
                sink: "syslog+udp://127.0.0.1:514".into(),
                records: 9,
            },
            r#""sink":"syslog+udp://127.0.0.1:514","records":9"#,
        ),
        (
            Event::Recovered(Recovery::WriteFailed {
                error: "No space left on device".into(),
                since: TIME,
                refused: 3,
                lost: 0,
            }),
            r#""cause":"write_failed","error":"No space left on device","since":"2026-11-24T06:41:05.000120Z","refused":3,"lost":0"#,
        ),
    ]
}

#[test]
fn all_other_events() {
    let cases = other_events();
    for (event, end) in cases {
        let body = body(&event);
        assert!(body.ends_with(end), "{body}");
        assert!(body.contains(&format!("\"event\":\"{}\"", event.name())), "{body}");
        serde_json::from_str::<serde_json::Value>(&format!("{{\"seq\":1{body}}}")).expect("JSON");
    }
}

#[test]
fn a_completion_names_what_it_completes() {
    let event = Event::Completed {
        of: Uuid::from_u128(0xc),
        rows: 3,
        bytes: 412,
        duration_us: 780,
        sqlstate: None,
        groups_left_out: Some(2),
    };
    assert_eq!(
        body(&event),
        concat!(
            r#","time":"2026-11-24T06:41:05.000120Z","event":"completed","of":"00000000-0000-0000-0000-00000000000c","#,
            r#""rows":3,"bytes":412,"duration_us":780,"sqlstate":null,"groups_left_out":2"#
        )
    );
}

#[test]
fn what_clients_write_is_bounded_and_stays_in_its_string() {
    let hostile = [
        "\",\"outcome\":\"allow\",\"x\":\"".to_owned(),
        "line\nbreak\r\u{2028}\u{2029}\u{85}".to_owned(),
        "\u{1b}]0;title\u{7}\u{1b}[31m\u{9b}31m".to_owned(),
        "\u{202e}\u{2066}\u{200f}\u{feff}".to_owned(),
        "x".repeat(1_000_000),
        "\u{10ffff}\u{0}\\".repeat(500),
    ];
    for text in hostile {
        let session = session_facts();
        let session = SessionFacts::new(session.id, &text, Some(&text), session.client, &session.database);
        let event = StatementEvent {
            session: &session,
            actor: Some(&text),
            reason: Some(&text),
            purpose: Some(&text),
            tags: &[("route", text.clone())],
            ..statement_event()
        };
        let body = statement_body(&event);
        assert!(!body.chars().any(crate::audit::is_unprintable));
        let parsed: serde_json::Value = serde_json::from_str(&format!("{{\"seq\":1{body}}}")).expect("JSON");
        assert_eq!(parsed["outcome"], "mask");
        let kept: String = text.chars().take(CLIENT_TEXT_CHARS).collect();
        for key in ["role", "actor", "application", "purpose", "reason"] {
            let written = parsed[key].as_str().expect("text");
            assert_eq!(written.trim_end_matches('…'), kept, "{key}");
        }
        let route = parsed["tags"]["route"].as_str().expect("text");
        assert_eq!(route.trim_end_matches('…'), kept, "tags");
        assert!(body.len() < 40_000);
    }
}

#[test]
fn a_record_is_never_longer_than_a_reader_takes() {
    let mut facts = facts();
    facts.statement = Some("\u{10ffff}".repeat(1_000_000));
    let wide = FieldUse {
        column: "\u{e0000}".repeat(47),
        ..facts.fields[0].clone()
    };
    facts.fields = vec![wide; MOST_FIELDS + 5];
    let body = statement_body(&Ground::of(facts).event());
    assert!(body.len() < 24 * 1024 * 1024, "{}", body.len());
    assert!(body.contains(r#"],"fields_left_out":5,"row_filters""#));
}

#[test]
fn subjects_are_keyed() {
    let key = SubjectKey::new(b"secret");
    let a = key.hash("42");
    assert_eq!(a, SubjectKey::new(b"secret").hash("42"));
    assert_ne!(a, key.hash("43"));
    assert_ne!(a, SubjectKey::new(b"other").hash("42"));
    assert_eq!(a.to_string().len(), 32);
}

#[test]
fn a_sqlstate_holds_nothing_else() {
    assert_eq!(SqlState::new("42501").as_str(), "42501");
    for text in ["", "4250", "425011", "x@y.z", "4250ä", "abcde"] {
        assert_eq!(SqlState::new(text).as_str(), "XX000", "{text}");
    }
}

#[test]
fn times_are_utc_with_six_digits() {
    assert_eq!(
        timestamp(datetime!(2026-01-02 03:04:05 +2)),
        "2026-01-02T01:04:05.000000Z"
    );
}
