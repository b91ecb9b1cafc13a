//! `/metrics`, in Prometheus' text format 0.0.4: counters of the journal and gauges of the process, read
//! when asked for.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::audit::counts::BOUNDS_US;
use crate::session::{EXAMINED, Shared};

/// The format's content type.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub fn text(shared: &Shared) -> String {
    let mut page = Page::default();
    statements(&mut page, shared);
    sessions(&mut page, shared);
    core(&mut page, shared);
    audit(&mut page, shared);
    rules(&mut page, shared);
    page.0
}

fn statements(page: &mut Page, shared: &Shared) {
    let counts = shared.journal.counts();
    page.head(
        "pgpurpose_statements_total",
        "counter",
        "Statements recorded, by access purpose (empty: nobody was admitted to it) and outcome.",
    );
    for (purpose, outcome, count) in counts.statements() {
        let labels = [("purpose", purpose.as_str()), ("outcome", outcome)];
        page.sample("pgpurpose_statements_total", &labels, count);
    }
    page.head(
        "pgpurpose_refusals_total",
        "counter",
        "Statements refused, or stopped by a gap, by the code of the reason.",
    );
    for (code, count) in counts.codes() {
        page.sample("pgpurpose_refusals_total", &[("code", code)], count);
    }
    page.one(
        "pgpurpose_statements_failed_total",
        "counter",
        "Statements that ended with an error.",
        counts.failed.get(),
    );
    page.one("pgpurpose_rows_total", "counter", "Rows that left.", counts.rows.get());
    page.one(
        "pgpurpose_sent_bytes_total",
        "counter",
        "Bytes of rows that left.",
        counts.bytes.get(),
    );
    let name = "pgpurpose_statement_duration_seconds";
    page.head(name, "histogram", "From a statement's arrival to its completion.");
    let mut below = 0;
    for (bound, counter) in BOUNDS_US.iter().zip(&counts.durations) {
        below += counter.get();
        let bound = seconds(*bound);
        page.sample(&format!("{name}_bucket"), &[("le", &bound)], below);
    }
    // A statement may complete between two readings: no bucket is greater than the last.
    let all = counts.completed.get().max(below);
    page.sample(&format!("{name}_bucket"), &[("le", "+Inf")], all);
    page.sample(&format!("{name}_sum"), &[], seconds(counts.duration_us.get()));
    page.sample(&format!("{name}_count"), &[], all);
}

fn sessions(page: &mut Page, shared: &Shared) {
    let counts = shared.journal.counts();
    page.one(
        "pgpurpose_sessions",
        "gauge",
        "Sessions that are logged in.",
        counts.sessions(),
    );
    page.head("pgpurpose_logins_total", "counter", "Logins, let in or not.");
    page.sample("pgpurpose_logins_total", &[("result", "accepted")], counts.logins.get());
    page.sample(
        "pgpurpose_logins_total",
        &[("result", "refused")],
        counts.logins_refused.get(),
    );
    page.one(
        "pgpurpose_break_glass_total",
        "counter",
        "Uses of break-glass purposes that began.",
        counts.break_glass.get(),
    );
    page.one(
        "pgpurpose_break_glass_open",
        "gauge",
        "Uses of break-glass purposes that go on.",
        counts.break_glass_open(),
    );
}

fn core(page: &mut Page, shared: &Shared) {
    page.one(
        "pgpurpose_examined_total",
        "counter",
        "Texts that the core read; the others were answered by the cache of plans.",
        EXAMINED.load(Ordering::Relaxed),
    );
    page.head(
        "pgpurpose_plan_cache_lookups_total",
        "counter",
        "Look-ups in the cache of plans.",
    );
    let (hits, misses) = shared.plans.lookups();
    page.sample("pgpurpose_plan_cache_lookups_total", &[("result", "hit")], hits);
    page.sample("pgpurpose_plan_cache_lookups_total", &[("result", "miss")], misses);
    page.one(
        "pgpurpose_plan_cache_entries",
        "gauge",
        "Plans that are kept.",
        shared.plans.len(),
    );
}

fn audit(page: &mut Page, shared: &Shared) {
    let counts = shared.journal.counts();
    page.one(
        "pgpurpose_audit_lag_records",
        "gauge",
        "Records that wait to be written.",
        shared.journal.lag(),
    );
    page.one(
        "pgpurpose_audit_available",
        "gauge",
        "1 while records can be written; at 0 statements are refused.",
        u8::from(shared.journal.is_available()),
    );
    page.one(
        "pgpurpose_audit_unrecorded_total",
        "counter",
        "Statements that were refused because they could not be recorded.",
        counts.unrecorded.get(),
    );
    page.one(
        "pgpurpose_audit_sink_dropped_total",
        "counter",
        "Records that a sink could not be given; the file has them.",
        shared.journal.sinks_dropped(),
    );
}

fn rules(page: &mut Page, shared: &Shared) {
    let counts = shared.journal.counts();
    let rules = shared.rules.load();
    page.head(
        "pgpurpose_rules_info",
        "gauge",
        "The rules in force: SHA-256 of the files, revision, database.",
    );
    for (database, policy) in rules.set.policies() {
        let labels = [
            ("sha256", rules.set.sha256()),
            ("revision", policy.revision.as_str()),
            ("database", database.unwrap_or_default()),
        ];
        page.sample("pgpurpose_rules_info", &labels, 1);
    }
    page.head("pgpurpose_rules_reloads_total", "counter", "Reloads of the rules.");
    page.sample(
        "pgpurpose_rules_reloads_total",
        &[("result", "accepted")],
        counts.reloads.get(),
    );
    page.sample(
        "pgpurpose_rules_reloads_total",
        &[("result", "failed")],
        counts.reloads_failed.get(),
    );
    let older = "pgpurpose_rules_older_than_files";
    page.head(
        older,
        "gauge",
        "1: the rules' files have changed and are refused; older rules are in force.",
    );
    page.sample(older, &[], u8::from(counts.rules_are_older.load(Ordering::Relaxed)));
    page.head("pgpurpose_build_info", "gauge", "The program.");
    page.sample("pgpurpose_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{}\"", escaped(value)))
            .collect();
        let _ = match labels.as_slice() {
            [] => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_of_the_format() {
        let mut page = Page::default();
        page.one("a_total", "counter", "Help.", 3);
        page.sample("b", &[("x", "q\"\\\n"), ("y", "")], seconds(1_250_000));
        assert_eq!(
            page.0,
            "# HELP a_total Help.\n# TYPE a_total counter\na_total 3\nb{x=\"q\\\"\\\\\\n\",y=\"\"} 1.25\n"
        );
        assert_eq!(
            (seconds(100), seconds(30_000_000), seconds(0)),
            ("0.0001".into(), "30".into(), "0".into())
        );
    }
}
