//! Records as OCSF 1.8 events of the class Datastore Activity (6005), with the profile `security_control`.
//!
//! What a session does is one: logins, statements, break-glass, stops, logouts. The rest (start, reload,
//! checkpoints, …) is no datastore activity and does not go out in this form. One event for a statement
//! and its completion. Pure; the schema: <https://schema.ocsf.io/1.8.0/classes/datastore_activity>.

use std::io;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::join::{Join, Joined};
use super::{Outlet, WrittenRecord};

const VERSION: &str = "1.8.0";
const CLASS: u64 = 6005;

/// Maps what an outlet is given.
pub(super) struct Mapper<O> {
    outlet: O,
    join: Join,
}

impl<O: Outlet> Mapper<O> {
    pub(super) fn new(outlet: O) -> Self {
        Self {
            outlet,
            join: Join::default(),
        }
    }

    fn give_all(&mut self, joined: Vec<Joined>) -> io::Result<()> {
        for Joined { record, completed } in joined {
            let Some(event) = event(&record, completed.as_ref()) else {
                continue;
            };
            self.outlet.give(&WrittenRecord {
                seq: record.get("seq").and_then(Value::as_u64).unwrap_or_default(),
                line: event.to_string().into(),
            })?;
        }
        Ok(())
    }
}

impl<O: Outlet> Outlet for Mapper<O> {
    fn give(&mut self, record: &WrittenRecord) -> io::Result<()> {
        let value = serde_json::from_slice(&record.line).map_err(io::Error::from)?;
        let joined = self.join.next(value);
        self.give_all(joined)
    }

    fn end(&mut self) {
        let left = self.join.release(0);
        // Whoever could be told of a failure is gone.
        let _ = self.give_all(left);
        self.outlet.end();
    }
}

/// `activity_id` and its caption.
type Activity = (u64, &'static str);
/// An enumeration's value and its caption.
type Caption = (u64, &'static str);

/// The OCSF event of a record and, of a statement, its completion; `None` for what is no activity of a
/// session.
pub fn event(record: &Value, completed: Option<&Value>) -> Option<Value> {
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let kind = text("event")?;
    let (activity, activity_name) = activity(kind, text("statement"))?;
    let client: SocketAddr = text("client")?.parse().ok()?;
    let time = OffsetDateTime::parse(text("time")?, &Rfc3339).ok()?;
    let sqlstate = completed.unwrap_or(record).get("sqlstate").and_then(Value::as_str);
    let outcome = text("outcome");
    let refused = text("code").is_some() || outcome == Some("refuse");
    let failed = sqlstate.is_some() || refused || outcome == Some("error") || kind == "stopped";
    let (severity_id, severity) = severity(kind, outcome);
    let (status_id, status) = if failed { (2, "Failure") } else { (1, "Success") };
    let (action, disposition) = control(kind, outcome, refused);
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "Datastore Activity",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Datastore Activity: {activity_name}"),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()?,
        "metadata": {
            "version": VERSION,
            "profiles": ["security_control"],
            "product": {"name": "pgpurpose", "vendor_name": "pgpurpose", "version": env!("CARGO_PKG_VERSION")},
            "log_name": "audit",
            "event_code": kind,
            "original_time": text("time"),
            "uid": text("id"),
            "sequence": record.get("seq"),
        },
        "actor": {
            "user": {"name": text("role")?},
            "session": {"uid": text("session")?},
        },
        "src_endpoint": {"ip": client.ip().to_string(), "port": client.port()},
        "database": {"name": text("database")?, "type_id": 1, "type": "Relational"},
        "type_id": 1,
        "type": "Database",
        "action_id": action.0,
        "action": action.1,
        "disposition_id": disposition.0,
        "disposition": disposition.1,
    });
    let more = event.as_object_mut()?;
    if let Some(code) = text("code").or(sqlstate) {
        more.insert("status_code".into(), code.into());
    }
    if let Some(application) = text("application") {
        set(more, "actor", "app_name", application.into());
    }
    if let Some(trace) = text("traceparent") {
        set(more, "metadata", "correlation_uid", trace.into());
    }
    if let Some(statement) = text("statement") {
        let mut query = json!({"query_string": statement, "uid": text("fingerprint")});
        if let (Some(bytes), Some(query)) = (completed.and_then(|c| c.get("bytes")), query.as_object_mut()) {
            query.insert("bytes".into(), bytes.clone());
        }
        more.insert("query_info".into(), query);
    }
    if let Some(table) = first_table(record) {
        more.insert("table".into(), json!({"name": table}));
    }
    if let Some(policy) = record.get("policy").filter(|policy| policy.is_object()) {
        let policy = json!({"name": "pgpurpose", "uid": policy.get("sha256"), "version": policy.get("revision"),
                            "is_applied": true});
        more.insert("policy".into(), policy);
    }
    more.insert("unmapped".into(), Value::Object(unmapped(record, completed)));
    Some(event)
}

fn set(event: &mut Map<String, Value>, object: &str, key: &str, value: Value) {
    if let Some(object) = event.get_mut(object).and_then(Value::as_object_mut) {
        object.insert(key.into(), value);
    }
}

fn activity(kind: &str, statement: Option<&str>) -> Option<Activity> {
    let first = statement.and_then(|text| text.split_ascii_whitespace().next());
    Some(match (kind, first.map(str::to_ascii_uppercase).as_deref()) {
        ("login", _) => (3, "Connect"),
        ("statement", Some("SELECT" | "WITH" | "TABLE" | "VALUES" | "SHOW" | "EXPLAIN")) => (4, "Query"),
        ("statement", Some("FETCH" | "EXECUTE" | "COPY")) => (1, "Read"),
        ("statement", Some("INSERT")) => (6, "Create"),
        ("statement", Some("UPDATE" | "MERGE")) => (2, "Update"),
        ("statement", Some("DELETE" | "TRUNCATE")) => (7, "Delete"),
        ("statement", _) => (99, "Other"),
        ("logout", _) => (99, "Logout"),
        ("break_glass", _) => (99, "Break Glass"),
        ("stopped", _) => (99, "Stopped"),
        _ => return None,
    })
}

fn severity(kind: &str, outcome: Option<&str>) -> Caption {
    match (kind, outcome) {
        ("stopped", _) => (5, "Critical"),
        ("break_glass", _) => (4, "High"),
        (_, Some("refuse")) => (3, "Medium"),
        (_, Some("gap" | "error")) => (2, "Low"),
        (_, _) => (1, "Informational"),
    }
}

/// What the proxy did: `action_id` and `disposition_id` of the profile `security_control`.
fn control(kind: &str, outcome: Option<&str>, refused: bool) -> (Caption, Caption) {
    match (kind, outcome) {
        ("stopped", _) => ((2, "Denied"), (6, "Dropped")),
        (_, _) if refused => ((2, "Denied"), (2, "Blocked")),
        (_, Some("error")) => ((0, "Unknown"), (0, "Unknown")),
        (_, Some("mask" | "filter" | "gap")) => ((4, "Modified"), (11, "Corrected")),
        (_, _) => ((1, "Allowed"), (1, "Allowed")),
    }
}

fn first_table(record: &Value) -> Option<&str> {
    let column = record.get("fields")?.get(0)?.get("column")?.as_str()?;
    column.rsplit_once('.').map(|(table, _)| table)
}

/// What OCSF has no attribute for, under the journal's own names.
fn unmapped(record: &Value, completed: Option<&Value>) -> Map<String, Value> {
    const KEYS: [&str; 17] = [
        "actor",
        "purpose",
        "declared_via",
        "reason",
        "legal_basis",
        "recipient",
        "subject",
        "outcome",
        "cursor_of",
        "fields",
        "row_filters",
        "phase",
        "until",
        "cause",
        "duration_us",
        "tags",
        "of",
    ];
    let mut rest = Map::new();
    let of_record = KEYS.iter().filter_map(|key| Some((*key, record.get(*key)?)));
    let of_end = ["rows", "duration_us", "groups_left_out"];
    let of_end = of_end.iter().filter_map(|key| Some((*key, completed?.get(*key)?)));
    for (key, value) in of_record.chain(of_end).filter(|(_, value)| !value.is_null()) {
        rest.insert(key.to_owned(), value.clone());
    }
    rest
}
