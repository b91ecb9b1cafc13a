//! Results of cases as text, JSON and JUnit XML.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::coverage::Coverage;
use super::run::{CaseResult, Suite};

pub(super) fn text(suites: &[Suite], coverage: &Coverage, colour: bool) -> String {
    let mut parts = Vec::new();
    for suite in suites {
        parts.push(suite_text(suite, colour));
    }
    let (failed, all) = counts(suites);
    let broken = suites.iter().filter(|suite| !suite.broken.is_empty()).count();
    if broken > 0 {
        parts.push(format!("{broken} of {} files cannot be run", suites.len()));
    }
    parts.push(coverage.text());
    parts.push(format!("{} passed, {} failed", all - failed, failed + broken));
    parts.join("\n\n")
}

fn counts(suites: &[Suite]) -> (usize, usize) {
    let results = || suites.iter().flat_map(|suite| &suite.results);
    let failed = results().filter(|result| !result.unmet.is_empty()).count();
    (failed, results().count())
}

fn suite_text(suite: &Suite, colour: bool) -> String {
    let mut lines = vec![suite.name.clone()];
    if !suite.broken.is_empty() {
        lines.push(suite.broken.to_text(colour));
    }
    for remark in &suite.passed_over {
        lines.push(format!(
            "  note  {}:{} passed over: {}",
            suite.schema, remark.line, remark.message
        ));
    }
    for result in &suite.results {
        let word = if result.unmet.is_empty() { "ok  " } else { "FAIL" };
        lines.push(format!("  {word}  {}", result.name));
        if !result.unmet.is_empty() {
            lines.push(result.unmet.to_text(colour));
        }
    }
    lines.join("\n")
}

pub(super) fn json(suites: &[Suite], coverage: &Coverage) -> Value {
    let suites: Vec<Value> = suites
        .iter()
        .map(|suite| {
            let passed_over = suite
                .passed_over
                .iter()
                .map(|r| json!({"line": r.line, "message": r.message}));
            json!({
                "file": suite.name,
                "schema": suite.schema,
                "findings": suite.broken.to_json(),
                "passed_over": passed_over.collect::<Vec<Value>>(),
                "cases": suite.results.iter().map(case_json).collect::<Vec<Value>>(),
            })
        })
        .collect();
    json!({"files": suites, "coverage": coverage.json(), "coverage_percent": coverage.percent()})
}

fn case_json(result: &CaseResult) -> Value {
    json!({
        "name": result.name,
        "passed": result.unmet.is_empty(),
        "outcome": result.facts.outcome.as_str(),
        "code": result.facts.code.map(|code| code.as_str()),
        "unmet": result.unmet.to_json(),
    })
}

pub(super) fn junit(suites: &[Suite]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("pgpurpose");
    for suite in suites {
        let mut out = TestSuite::new(suite.name.as_str());
        if !suite.broken.is_empty() {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message("the file cannot be run");
            status.set_description(suite.broken.to_string());
            out.add_test_case(TestCase::new("(file)", status));
        }
        for result in &suite.results {
            let status = if result.unmet.is_empty() {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let messages: Vec<&str> = result.unmet.iter().map(crate::rules::Diagnostic::message).collect();
                status.set_message(messages.join("; "));
                status.set_description(result.unmet.to_string());
                status
            };
            let mut case = TestCase::new(result.name.as_str(), status);
            case.set_classname(suite.name.as_str());
            case.set_time(result.took);
            out.add_test_case(case);
        }
        report.add_test_suite(out);
    }
    report.to_string()
}
