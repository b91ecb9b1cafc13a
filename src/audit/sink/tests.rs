//! Sinks before receivers that are real: sockets, files, a program, a collector whose requests are
//! decoded by the rules of protobuf alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;

use serde_json::Value;

use super::*;
use crate::audit::checkpoint::Signer;
use crate::audit::event::tests::{other_events, statement_event};
use crate::audit::storage::tests::Folder;
use crate::audit::{Journal, JournalConfig, SqlState, StatementEvent, TraceParent};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn target(text: &str) -> Target {
    text.parse().expect("a target")
}

/// Pours records of all kinds into sinks, and gives the journal's lines.
fn poured(folder: &Folder, sinks: &[(String, bool)]) -> Vec<String> {
    let mut config = JournalConfig::new(folder.file());
    config.signer = Some(Signer::from_seed(&[7; 32]));
    let journal = Journal::open(config).expect("opens");
    for (sink, only_checkpoints) in sinks {
        journal.pour(&target(sink), *only_checkpoints).expect("opens");
    }
    let event = StatementEvent {
        trace: TraceParent::read(TRACE),
        tags: &[("route", "/customers/:id".to_owned())],
        ..statement_event()
    };
    let (_, ticket) = journal.refuse(&event).expect("available");
    journal.note(Event::Completed {
        of: ticket.id(),
        rows: 3,
        bytes: 412,
        duration_us: 780,
        sqlstate: Some(SqlState::new("22012")),
        groups_left_out: None,
    });
    for (event, _) in other_events() {
        journal.note(event);
    }
    journal.close();
    let text = std::fs::read_to_string(folder.file()).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn targets_are_read_and_what_is_none_is_told() {
    for text in [
        "stdout",
        "ocsf:stdout",
        "json:file:/tmp/x",
        "exec:/bin/true",
        "syslog+udp://127.0.0.1:514",
        "syslog+tcp://[::1]:601",
        "syslog+unix:/dev/log",
        "otlp+http://127.0.0.1:4318",
    ] {
        assert_eq!(target(text).to_string(), text);
    }
    for text in [
        "",
        "stderr",
        "file:",
        "ocsf:",
        "syslog+udp://h",
        "syslog+udp://h:x",
        "ocsf:otlp+http://h:1",
        "otlp+https://h:1",
    ] {
        assert!(text.parse::<Target>().is_err(), "{text}");
    }
}

#[test]
fn a_file_gets_every_line_as_it_is_and_only_its_owner_reads_it() {
    let folder = Folder::new();
    let copy = folder.0.join("copy");
    let lines = poured(&folder, &[(format!("file:{}", copy.display()), false)]);
    let copied = std::fs::read_to_string(&copy).expect("UTF-8");
    assert_eq!(copied.lines().collect::<Vec<_>>(), lines);
    let mode = std::fs::metadata(&copy).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn checkpoints_go_to_a_file_and_to_a_program() {
    let folder = Folder::new();
    let (file, out) = (folder.0.join("checkpoints"), folder.0.join("out"));
    let program = folder.0.join("program");
    std::fs::write(&program, format!("#!/bin/sh\ncat >> '{}'\n", out.display())).expect("program");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("program");
    let sinks = [
        (format!("file:{}", file.display()), true),
        (format!("exec:{}", program.display()), true),
    ];
    let lines = poured(&folder, &sinks);
    let checkpoints: Vec<&String> = lines.iter().filter(|l| Checkpoint::is_one(l.as_bytes())).collect();
    assert_eq!(checkpoints.len(), 1);
    for path in [file, out] {
        let text = std::fs::read_to_string(path).expect("UTF-8");
        assert_eq!(text.lines().collect::<Vec<_>>(), checkpoints);
    }
}

/// A message of RFC 5424 in its parts: priority, time, name of the event, and the record.
fn syslog_parts(message: &str) -> (u32, String, String, String) {
    let (priority, rest) = message.strip_prefix('<').expect("<").split_once('>').expect(">");
    let mut parts = rest.splitn(8, ' ');
    let mut next = || parts.next().expect("a part").to_owned();
    let (version, time, host, application, process, kind, data) =
        (next(), next(), next(), next(), next(), next(), next());
    assert_eq!(
        (version.as_str(), application.as_str(), data.as_str()),
        ("1", "pgpurpose", "-")
    );
    assert!(!host.is_empty() && process.parse::<u32>().is_ok());
    (priority.parse().expect("a number"), time, kind, next())
}

fn check_syslog(messages: &[String], lines: &[String]) {
    assert_eq!(messages.len(), lines.len());
    for (message, line) in messages.iter().zip(lines) {
        let (priority, time, kind, record) = syslog_parts(message);
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(&record, line);
        assert_eq!(
            (value["time"].as_str(), value["event"].as_str()),
            (Some(&*time), Some(&*kind))
        );
        assert_eq!(priority / 8, 13, "log audit");
        assert_eq!(priority % 8 == 2, kind == "stopped", "critical");
    }
}

#[test]
fn syslog_over_datagrams() {
    let folder = Folder::new();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("socket");
    let path = folder.0.join("log");
    let unix = UnixDatagram::bind(&path).expect("socket");
    let sinks = [
        (format!("syslog+udp://{}", udp.local_addr().expect("bound")), false),
        (format!("syslog+unix:{}", path.display()), false),
    ];
    // A local socket holds few datagrams: somebody must read on.
    let received = std::thread::spawn(move || {
        let mut messages = Vec::new();
        let mut buffer = vec![0; 65_536];
        loop {
            let read = unix.recv(&mut buffer).expect("a datagram");
            messages.push(String::from_utf8(buffer[..read].to_vec()).expect("UTF-8"));
            if messages.last().is_some_and(|m| m.contains(" checkpoint - ")) {
                return messages;
            }
        }
    });
    let lines = poured(&folder, &sinks);
    check_syslog(&received.join().expect("no panic"), &lines);
    let mut buffer = vec![0; 65_536];
    let received = lines.iter().map(|_| {
        let read = udp.recv(&mut buffer).expect("a datagram");
        String::from_utf8(buffer[..read].to_vec()).expect("UTF-8")
    });
    check_syslog(&received.collect::<Vec<_>>(), &lines);
}

#[test]
fn syslog_over_tcp_counts_octets() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("socket");
    let address = listener.local_addr().expect("bound");
    let received = std::thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().expect("a connection").0);
        let mut messages = Vec::new();
        loop {
            let mut length = Vec::new();
            if stream.read_until(b' ', &mut length).expect("readable") == 0 {
                return messages;
            }
            let length = String::from_utf8(length)
                .expect("digits")
                .trim()
                .parse()
                .expect("a number");
            let mut message = vec![0; length];
            stream.read_exact(&mut message).expect("whole");
            messages.push(String::from_utf8(message).expect("UTF-8"));
        }
    });
    let lines = poured(&folder, &[(format!("syslog+tcp://{address}"), false)]);
    check_syslog(&received.join().expect("no panic"), &lines);
}

#[test]
fn a_sink_that_fails_holds_up_nothing_and_what_it_lost_is_on_record() {
    let folder = Folder::new();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("socket");
        listener.local_addr().expect("bound")
    };
    let sink = format!("syslog+tcp://{closed}");
    let mut config = JournalConfig::new(folder.file());
    config.retry = Duration::from_millis(1);
    let journal = Journal::open(config).expect("opens");
    journal.pour(&target(&sink), false).expect("opens");
    let mut feed = journal.follow();
    let (_, ticket) = journal.refuse(&statement_event()).expect("available");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(journal.written(ticket)).expect("written");
    let told = loop {
        let record = feed.blocking_recv().expect("a record");
        let value: Value = serde_json::from_slice(&record.line).expect("JSON");
        if value["event"] == "sink_dropped" {
            break value;
        }
    };
    assert_eq!(
        (told["sink"].as_str(), told["records"].as_u64()),
        (Some(&*sink), Some(1))
    );
    assert!(journal.sinks_dropped() >= 1);
    journal.close();
}

// ------------------------------------------------------------------------------------------------ OCSF

/// What the distilled schema says against `value` as `object`.
fn invalid(schema: &Value, object: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(fields) = value.as_object() else {
        found.push(format!("{at}: an object is expected"));
        return;
    };
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    for name in names(&object["required"]) {
        if fields.get(&name).is_none_or(Value::is_null) {
            found.push(format!("{at}: {name} is required"));
        }
    }
    let one_of = names(&object["at_least_one"]);
    if !one_of.is_empty() && !one_of.iter().any(|name| fields.get(name).is_some_and(|v| !v.is_null())) {
        found.push(format!("{at}: one of {one_of:?} is required"));
    }
    for (name, value) in fields {
        let place = format!("{at}.{name}");
        let attribute = &object["attributes"][name];
        if attribute.is_null() {
            found.push(format!("{place}: no such attribute"));
            continue;
        }
        let values = if attribute["array"] == true {
            match value.as_array() {
                Some(values) => values.clone(),
                None => vec![Value::Null],
            }
        } else {
            vec![value.clone()]
        };
        for value in values {
            invalid_value(schema, attribute, &value, &place, found);
        }
    }
}

fn invalid_value(schema: &Value, attribute: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let kind = attribute["type"].as_str().expect("a type");
    let right = match kind {
        "string_t" | "datetime_t" | "ip_t" | "uuid_t" | "hostname_t" => value.is_string(),
        "integer_t" | "long_t" | "timestamp_t" | "port_t" => value.is_i64(),
        "boolean_t" => value.is_boolean(),
        "object" | "json_t" => value.is_object(),
        _ => {
            let object = &schema["objects"][kind];
            assert!(object.is_object(), "{at}: the distilled schema lacks {kind}");
            invalid(schema, object, value, at, found);
            true
        }
    };
    if !right {
        found.push(format!("{at}: {value} is no {kind}"));
    }
    let own = at == "event.category_uid" || at == "event.class_uid";
    if let (Some(values), false) = (attribute["enum"].as_object(), own) {
        let known = values.get(&value.to_string());
        if known.is_none() {
            found.push(format!("{at}: {value} is not in the enumeration"));
        }
    }
}

#[test]
fn ocsf_events_are_as_the_schema_says_and_as_they_were() {
    let schema: Value = serde_json::from_str(include_str!("ocsf_schema.json")).expect("JSON");
    let folder = Folder::new();
    let out = folder.0.join("ocsf");
    let lines = poured(&folder, &[(format!("ocsf:file:{}", out.display()), false)]);
    let text = std::fs::read_to_string(out).expect("UTF-8");
    let mut shown = String::new();
    let mut kinds = Vec::new();
    for line in text.lines() {
        let mut event: Value = serde_json::from_str(line).expect("JSON");
        let mut found = Vec::new();
        invalid(&schema, &schema["event"], &event, "event", &mut found);
        assert_eq!(found, Vec::<String>::new(), "{line}");
        assert_eq!((&event["class_uid"], &event["category_uid"]), (&6005.into(), &6.into()));
        let activity = event["activity_id"].as_u64().expect("a number");
        assert_eq!(event["type_uid"], 600_500 + activity);
        for (id, caption) in [
            ("activity_id", "activity_name"),
            ("severity_id", "severity"),
            ("status_id", "status"),
        ] {
            let captions = &schema["event"]["attributes"][id]["enum"];
            let expected = &captions[event[id].to_string()];
            assert!(event[caption] == *expected || event[id] == 99, "{line}");
        }
        kinds.push(event["metadata"]["event_code"].as_str().expect("text").to_owned());
        // What differs from run to run.
        event["time"] = 0.into();
        for key in ["original_time", "uid"] {
            event["metadata"][key] = "…".into();
        }
        shown.push_str(&serde_json::to_string_pretty(&event).expect("JSON"));
        shown.push('\n');
    }
    assert_eq!(kinds, ["statement", "login", "logout", "break_glass", "stopped"]);
    assert!(lines.len() > kinds.len());
    insta::assert_snapshot!(shown);
}

#[test]
fn the_check_against_the_schema_finds_what_is_wrong() {
    let schema: Value = serde_json::from_str(include_str!("ocsf_schema.json")).expect("JSON");
    let wrong: Value = serde_json::json!({
        "activity_id": 11, "metadata": {"version": 1}, "actor": {}, "time": "now", "no_such": 1,
    });
    let mut found = Vec::new();
    invalid(&schema, &schema["event"], &wrong, "event", &mut found);
    for part in [
        "src_endpoint is required",
        "not in the enumeration",
        "product is required",
        "1 is no string_t",
        "one of [\"process\"",
        "no such attribute",
        "is no timestamp_t",
        "one of [\"database\"",
    ] {
        assert!(found.iter().any(|f| f.contains(part)), "{part}: {found:?}");
    }
}

// ------------------------------------------------------------------------------------------------ OTLP

/// A message as its wire form says: numbers of fields with their values.
#[derive(Debug, Clone)]
enum Wire {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Wire)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let take = |bytes: &mut &[u8], length: usize| {
            let (taken, rest) = bytes.split_at(length);
            *bytes = rest;
            taken.to_vec()
        };
        let value = match key & 7 {
            0 => Wire::Number(varint(&mut bytes)),
            1 => Wire::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().expect("8"))),
            5 => Wire::Number(u64::from(u32::from_le_bytes(
                take(&mut bytes, 4).try_into().expect("4"),
            ))),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("small");
                Wire::Bytes(take(&mut bytes, length))
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// All values of a path of field numbers.
fn at(bytes: &[u8], path: &[u64]) -> Vec<Wire> {
    let Some((first, rest)) = path.split_first() else {
        return vec![Wire::Bytes(bytes.to_vec())];
    };
    let own = fields(bytes).into_iter().filter(|(number, _)| number == first);
    own.flat_map(|(_, value)| match value {
        Wire::Bytes(inner) if !rest.is_empty() => at(&inner, rest),
        other => vec![other],
    })
    .collect()
}

fn messages(bytes: &[u8], path: &[u64]) -> Vec<Vec<u8>> {
    let all = at(bytes, path).into_iter();
    all.map(|value| match value {
        Wire::Bytes(bytes) => bytes,
        Wire::Number(number) => panic!("{number} is no message"),
    })
    .collect()
}

fn texts(bytes: &[u8], path: &[u64]) -> Vec<String> {
    let all = messages(bytes, path).into_iter();
    all.map(|bytes| String::from_utf8(bytes).expect("UTF-8")).collect()
}

fn numbers(bytes: &[u8], path: &[u64]) -> Vec<u64> {
    let all = at(bytes, path).into_iter();
    all.map(|value| match value {
        Wire::Number(number) => number,
        Wire::Bytes(_) => panic!("no number"),
    })
    .collect()
}

/// Attributes of a record or span, texts only.
fn keys(bytes: &[u8], number: u64) -> Vec<(String, String)> {
    let pairs = messages(bytes, &[number]).into_iter();
    pairs
        .filter_map(|pair| Some((texts(&pair, &[1]).pop()?, texts(&pair, &[2, 1]).pop()?)))
        .collect()
}

/// Requests with their paths, until the last of both kinds has come.
type Requests = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

fn collector() -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("socket");
    let url = format!("otlp+http://{}", listener.local_addr().expect("bound"));
    let requests = Requests::default();
    let taken = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let taken = Arc::clone(&taken);
            std::thread::spawn(move || serve(stream.expect("a connection"), &taken));
        }
    });
    (url, requests)
}

fn serve(stream: std::net::TcpStream, taken: &Requests) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut path, mut length) = (String::new(), 0);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            if let Some(rest) = line.strip_prefix("POST ") {
                path = rest.split(' ').next().unwrap_or_default().to_owned();
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a number");
            }
            line.clear();
        }
        if path.is_empty() {
            return;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("whole");
        taken.lock().expect("no panic").push((path, body));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        reader.get_mut().write_all(answer).expect("written");
    }
}

#[test]
fn a_collector_gets_each_record_as_a_log_and_each_statement_as_a_span_under_the_clients() {
    let folder = Folder::new();
    let (url, requests) = collector();
    let lines = poured(&folder, &[(url, false)]);
    let requests = requests.lock().expect("no panic").clone();
    let of = |kind: &str| -> Vec<Vec<u8>> {
        let own = requests.iter().filter(|(path, _)| path == kind);
        own.map(|(_, body)| body.clone()).collect()
    };
    // resource_logs, scope_logs, log_records; body is 5, string_value 1.
    let logs: Vec<Vec<u8>> = of("/v1/logs")
        .iter()
        .flat_map(|body| messages(body, &[1, 2, 2]))
        .collect();
    let bodies: Vec<String> = logs.iter().flat_map(|log| texts(log, &[5, 1])).collect();
    assert_eq!(bodies, lines);
    let trace = |log: &[u8]| messages(log, &[9]).pop().unwrap_or_default();
    assert_eq!(trace(&logs[0])[..2], [0x0a, 0xf7]);
    let attributes = keys(&logs[0], 6);
    for (key, value) in [
        ("event.name", "pgpurpose.statement"),
        ("db.system.name", "postgresql"),
        ("pgpurpose.purpose", "care.support"),
        ("pgpurpose.outcome", "mask"),
        (
            "db.query.text",
            "SELECT email FROM care.customers WHERE customer_id = $1",
        ),
    ] {
        assert!(
            attributes.contains(&(key.into(), value.into())),
            "{key}: {attributes:?}"
        );
    }
    let service = of("/v1/logs")
        .iter()
        .flat_map(|body| messages(body, &[1, 1]))
        .next()
        .expect("a resource");
    assert!(keys(&service, 1).contains(&("service.name".into(), "pgpurpose".into())));

    // resource_spans, scope_spans, spans.
    let spans: Vec<Vec<u8>> = of("/v1/traces")
        .iter()
        .flat_map(|body| messages(body, &[1, 2, 2]))
        .collect();
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    let hex = |number| -> String {
        let bytes = messages(span, &[number]).pop().expect("there");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(format!("00-{}-{}-01", hex(1), hex(4)), TRACE, "trace and parent");
    assert_ne!(hex(2), hex(4), "a span of its own");
    assert_eq!(texts(span, &[5]), ["SELECT care"]);
    assert_eq!(numbers(span, &[6]), [2], "a server's");
    let (start, end) = (numbers(span, &[7])[0], numbers(span, &[8])[0]);
    assert_eq!(end - start, 780_000, "nanoseconds");
    assert_eq!(numbers(span, &[15, 3]), [2], "an error");
    assert!(keys(span, 9).contains(&("error.type".into(), "22012".into())));
}
