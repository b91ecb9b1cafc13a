//! `/healthz`: the process answers. `/readyz`: it can serve statements.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::session::{Phase, Shared};

/// A server that takes longer to answer is none that can be reached.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Whether statements can be served: 200, or 503 with what is wrong.
pub async fn ready(shared: &Shared) -> Response {
    let serving = *shared.phase.borrow() == Phase::Serving;
    let rules = shared.rules.load().set.policies().next().is_some();
    let audit = shared.journal.is_available();
    let upstream = timeout(PATIENCE, shared.options.server.connect()).await;
    let checks = [
        ("serving", serving, "it is about to end"),
        ("rules", rules, "there are none in force"),
        ("audit", audit, "it cannot be written: statements are refused"),
        (
            "upstream",
            matches!(upstream, Ok(Ok(_))),
            "the database server cannot be reached",
        ),
    ];
    let are_older = shared.journal.counts().rules_are_older.load(Ordering::Relaxed);
    let lines = checks.iter().map(|(what, holds, why)| match holds {
        true if *what == "rules" && are_older => "rules: ok, but older than the files, which are refused\n".to_owned(),
        true => format!("{what}: ok\n"),
        false => format!("{what}: {why}\n"),
    });
    let status = match checks.iter().all(|(_, holds, _)| *holds) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, kind, lines.collect::<String>()).into_response()
}
