//! Records to an OpenTelemetry collector, OTLP over HTTP: each record as a log, each statement as a span
//! too, whose parent is the `traceparent` of the client's comment (W3C Trace Context).
//!
//! Attributes are named by the semantic conventions for database spans where they have a name for it,
//! else `pgpurpose.` and the journal's.

use std::io;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::trace::TraceParent;
use super::join::{Join, Joined};
use super::{Outlet, WrittenRecord};

/// An export that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last export may take when the proxy ends.
const LAST: Duration = Duration::from_secs(3);

/// A collector, with the queues of the SDK before it: bounded, and full ones drop.
pub(super) struct Collector {
    logs: SdkLoggerProvider,
    logger: SdkLogger,
    traces: SdkTracerProvider,
    tracer: SdkTracer,
    join: Join,
}

impl Collector {
    /// Of a base URL: `/v1/logs` and `/v1/traces` are put behind it.
    pub(super) fn open(url: &str) -> io::Result<Self> {
        let logs = LogExporter::builder()
            .with_http()
            .with_endpoint(format!("{url}/v1/logs"))
            .with_timeout(TIMEOUT)
            .build()
            .map_err(io::Error::other)?;
        let spans = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{url}/v1/traces"))
            .with_timeout(TIMEOUT)
            .build()
            .map_err(io::Error::other)?;
        let resource = Resource::builder()
            .with_service_name("pgpurpose")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let logs = SdkLoggerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(logs)
            .build();
        let traces = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_batch_exporter(spans)
            .build();
        Ok(Self {
            logger: logs.logger("pgpurpose.audit"),
            logs,
            tracer: traces.tracer("pgpurpose.audit"),
            traces,
            join: Join::default(),
        })
    }

    fn log(&self, record: &Value, line: &WrittenRecord) {
        let event = text(record, "event").unwrap_or("unknown");
        let mut log = self.logger.create_log_record();
        let (number, name) = severity(event, text(record, "outcome"));
        log.set_severity_number(number);
        log.set_severity_text(name);
        if let Some(time) = time(record) {
            log.set_timestamp(time);
        }
        log.set_observed_timestamp(SystemTime::now());
        log.set_body(String::from_utf8_lossy(&line.line).into_owned().into());
        log.add_attribute("event.name", format!("pgpurpose.{event}"));
        for (key, value) in attributes(record) {
            match value {
                Attribute::Text(text) => log.add_attribute(key, text),
                Attribute::Number(number) => log.add_attribute(key, number),
            }
        }
        if let Some(parent) = parent(record) {
            let flags = TraceFlags::new(parent.flags);
            let (trace, span) = (parent.trace_id, parent.parent_id);
            log.set_trace_context(TraceId::from_bytes(trace), SpanId::from_bytes(span), Some(flags));
        }
        self.logger.emit(log);
    }

    fn span(&self, joined: &Joined) {
        let Joined { record, completed } = joined;
        let Some(start) = time(record).filter(|_| text(record, "event") == Some("statement")) else {
            return;
        };
        let end_of = completed.as_ref().unwrap_or(record);
        let lasted = end_of.get("duration_us").and_then(Value::as_u64).unwrap_or_default();
        let operation = text(record, "statement").and_then(|s| s.split_ascii_whitespace().next());
        let database = text(record, "database").unwrap_or_default();
        let mut keys: Vec<KeyValue> = attributes(record).map(Attribute::of_span).collect();
        for (key, name) in [("rows", "db.response.returned_rows"), ("bytes", "pgpurpose.bytes")] {
            if let Some(number) = end_of.get(key).and_then(Value::as_i64) {
                keys.push(KeyValue::new(name, number));
            }
        }
        if let Some(operation) = operation {
            keys.push(KeyValue::new("db.operation.name", operation.to_owned()));
        }
        let name = format!("{} {database}", operation.unwrap_or("statement"));
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(start)
            .with_attributes(keys);
        let context = parent(record).map_or_else(Context::new, |parent| {
            let parent = SpanContext::new(
                TraceId::from_bytes(parent.trace_id),
                SpanId::from_bytes(parent.parent_id),
                TraceFlags::new(parent.flags),
                true,
                TraceState::default(),
            );
            Context::new().with_remote_span_context(parent)
        });
        let mut span = self.tracer.build_with_context(builder, &context);
        let failure = text(record, "code").or_else(|| text(end_of, "sqlstate"));
        if let Some(code) = failure {
            span.set_attribute(KeyValue::new("error.type", code.to_owned()));
            span.set_status(Status::error(code.to_owned()));
        }
        span.end_with_timestamp(start + Duration::from_micros(lasted));
    }
}

impl Outlet for Collector {
    fn give(&mut self, record: &WrittenRecord) -> io::Result<()> {
        let value: Value = serde_json::from_slice(&record.line).map_err(io::Error::from)?;
        self.log(&value, record);
        for joined in self.join.next(value) {
            self.span(&joined);
        }
        Ok(())
    }

    fn end(&mut self) {
        for joined in self.join.release(0) {
            self.span(&joined);
        }
        let ended = [
            self.logs.shutdown_with_timeout(LAST),
            self.traces.shutdown_with_timeout(LAST),
        ];
        for error in ended.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the collector did not take the last records");
        }
    }
}

enum Attribute {
    Text(String),
    Number(i64),
}

impl Attribute {
    fn of_span((key, value): (&'static str, Self)) -> KeyValue {
        match value {
            Self::Text(text) => KeyValue::new(key, text),
            Self::Number(number) => KeyValue::new(key, number),
        }
    }
}

fn attributes(record: &Value) -> impl Iterator<Item = (&'static str, Attribute)> + '_ {
    const NAMES: [(&str, &str); 20] = [
        ("seq", "pgpurpose.seq"),
        ("id", "pgpurpose.id"),
        ("session", "pgpurpose.session"),
        ("role", "pgpurpose.role"),
        ("actor", "pgpurpose.actor"),
        ("application", "pgpurpose.application"),
        ("client", "client.address"),
        ("database", "db.namespace"),
        ("purpose", "pgpurpose.purpose"),
        ("declared_via", "pgpurpose.declared_via"),
        ("reason", "pgpurpose.reason"),
        ("legal_basis", "pgpurpose.legal_basis"),
        ("recipient", "pgpurpose.recipient"),
        ("outcome", "pgpurpose.outcome"),
        ("code", "pgpurpose.code"),
        ("statement", "db.query.text"),
        ("fingerprint", "pgpurpose.fingerprint"),
        ("of", "pgpurpose.of"),
        ("rows", "db.response.returned_rows"),
        ("sqlstate", "db.response.status_code"),
    ];
    let system = std::iter::once(("db.system.name", Attribute::Text("postgresql".to_owned())));
    let named = NAMES.iter().filter_map(|(key, name)| {
        let value = match record.get(*key)? {
            Value::String(text) => Attribute::Text(text.clone()),
            Value::Number(number) => Attribute::Number(number.as_i64()?),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((*name, value))
    });
    system.chain(named)
}

fn text<'v>(record: &'v Value, key: &str) -> Option<&'v str> {
    record.get(key).and_then(Value::as_str)
}

fn time(record: &Value) -> Option<SystemTime> {
    let time = OffsetDateTime::parse(text(record, "time")?, &Rfc3339).ok()?;
    Some(time.into())
}

fn parent(record: &Value) -> Option<TraceParent> {
    TraceParent::read(text(record, "traceparent")?)
}

fn severity(event: &str, outcome: Option<&str>) -> (Severity, &'static str) {
    match (event, outcome) {
        ("stopped", _) => (Severity::Fatal, "FATAL"),
        ("recovered" | "sink_dropped", _) | (_, Some("error")) => (Severity::Error, "ERROR"),
        ("break_glass", _) | (_, Some("refuse" | "gap")) => (Severity::Warn, "WARN"),
        (_, _) => (Severity::Info, "INFO"),
    }
}
