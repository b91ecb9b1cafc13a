//! The admin face: `/healthz`, `/readyz`, `/metrics`, and the audit page.
//!
//! Rendered on the server; every view has an address; the one script only asks for the list of events
//! again. Shows names, codes and counts, and what clients wrote of themselves, escaped; no value of the
//! database, for no event holds one. Decides nothing.

mod gate;
mod metrics;
mod pages;
mod probe;
mod question;
pub mod report;
mod store;
pub mod view;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Form, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::session::{Phase, Shared};

pub use gate::Gate;
use gate::Visitor;
use pages::Failure;
use question::Question;
use store::Store;

/// What the page may load: our own style, script and pictures; nothing written into the page runs.
const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Nobody reads more of the log than so many at once.
const SCANS: usize = 2;

/// Parameters of an address.
type Parameters = Query<Vec<(String, String)>>;

/// All that the face rests on.
pub struct Face {
    shared: Arc<Shared>,
    store: Store,
    gate: Gate,
    /// It can be reached from this machine only.
    loopback: bool,
    scans: Semaphore,
}

impl Face {
    /// Of a proxy and the file of its journal. `address` is where it listens.
    pub fn new(shared: Arc<Shared>, audit: &Path, token: &str, address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            store: Store::new(audit),
            gate: Gate::new(token),
            loopback: address.ip().is_loopback(),
            scans: Semaphore::new(SCANS),
            shared,
        })
    }
}

/// Serves until the process is about to end.
///
/// # Errors
/// Those of the network.
pub async fn serve(listener: TcpListener, face: Arc<Face>) -> std::io::Result<()> {
    let mut phase = face.shared.phase.clone();
    let records = face.shared.journal.follow();
    let follower = {
        let face = Arc::clone(&face);
        tokio::spawn(async move { face.store.follow(records).await })
    };
    let service = router(face).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            // The sender's end is the end too.
            let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
        })
        .await;
    follower.abort();
    served
}

fn router(face: Arc<Face>) -> Router {
    let inside = Router::new()
        .route("/", get(|f, v, q| page(f, v, q, pages::overview)))
        .route("/events", get(|f, v, q| page(f, v, q, pages::events)))
        .route("/events/list", get(list))
        .route("/events/{id}", get(event))
        .route("/refused", get(|f, v, q| page(f, v, q, pages::refused)))
        .route("/gaps", get(|f, v, q| page(f, v, q, pages::gaps)))
        .route("/rules", get(rules))
        .route("/changes", get(|f, v, q| page(f, v, q, pages::changes)))
        .route("/log", get(|f, v, q| page(f, v, q, pages::log)))
        .route("/report", get(|f, v, q| page(f, v, q, pages::report)))
        .route("/logout", post(log_out))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&face), let_in));
    Router::new()
        .merge(inside)
        .route("/login", get(login).post(log_in))
        .route(
            "/assets/style.css",
            get(|| asset("text/css; charset=utf-8", include_str!("assets/style.css"))),
        )
        .route(
            "/assets/page.js",
            get(|| asset("text/javascript; charset=utf-8", include_str!("assets/page.js"))),
        )
        .route(
            "/assets/icon.svg",
            get(|| asset("image/svg+xml", include_str!("assets/icon.svg"))),
        )
        .route("/healthz", get(probe::alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "There is nothing at this address.") })
        .layer(middleware::from_fn_with_state(Arc::clone(&face), guard))
        .with_state(face)
}

/// What holds for every answer, and for every request before it is looked at.
async fn guard(State(face): State<Arc<Face>>, request: Request, next: Next) -> Response {
    // A name of somebody else's that leads here must not: a page of theirs could read ours.
    let foreign_name = face.loopback && !gate::is_loopback_name(request.headers());
    let foreign_form = request.method() == Method::POST && !gate::is_own_form(request.headers());
    let mut response = if foreign_name {
        problem(StatusCode::MISDIRECTED_REQUEST, "This is not the name of this machine.")
    } else if foreign_form {
        problem(StatusCode::FORBIDDEN, "This form was sent from somewhere else.")
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Only for whoever has the token.
async fn let_in(State(face): State<Arc<Face>>, uri: Uri, mut request: Request, next: Next) -> Response {
    match face.gate.visitor(request.headers()) {
        Some(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        // What asks for the list again is told, and not led to a form.
        None if uri.path() == "/events/list" || request.method() == Method::POST => {
            problem(StatusCode::UNAUTHORIZED, "The token is needed: log in again.")
        }
        None => {
            let next = uri.path_and_query().map_or("/", |p| p.as_str());
            Redirect::to(&format!("/login?next={}", question::encoded(next))).into_response()
        }
    }
}

type Make = fn(&Face, &Question, &Visitor) -> Result<String, Failure>;

/// Makes a page on a thread that may read files.
async fn page(
    State(face): State<Arc<Face>>,
    Extension(visitor): Extension<Visitor>,
    Query(parameters): Parameters,
    make: Make,
) -> Response {
    let made = made(face, move |face| make(face, &Question::new(&parameters), &visitor)).await;
    made.map_or_else(Failure::into_response, |html| Html(html).into_response())
}

async fn event(
    State(face): State<Arc<Face>>,
    Extension(visitor): Extension<Visitor>,
    axum::extract::Path(id): axum::extract::Path<String>,
) -> Response {
    let made = made(face, move |face| pages::event(face, &id, &visitor)).await;
    made.map_or_else(Failure::into_response, |html| Html(html).into_response())
}

async fn rules(
    State(face): State<Arc<Face>>,
    Extension(visitor): Extension<Visitor>,
    Query(parameters): Parameters,
) -> Response {
    let made = made(face, move |face| pages::rules(face, &parameters, &visitor)).await;
    made.map_or_else(Failure::into_response, |html| Html(html).into_response())
}

/// The list of events alone, for a page that asks again: only if it is another than the one it has.
async fn list(State(face): State<Arc<Face>>, headers: HeaderMap, Query(parameters): Parameters) -> Response {
    let made = made(face, move |face| pages::list(face, &Question::new(&parameters))).await;
    let html = match made {
        Ok(html) => html,
        Err(failure) => return failure.into_response(),
    };
    let tag: String = Sha256::digest(html.as_bytes())
        .iter()
        .take(12)
        .map(|b| format!("{b:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let status = if known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let body = if known { String::new() } else { html };
    (status, [(header::ETAG, tag)], Html(body)).into_response()
}

async fn made(
    face: Arc<Face>,
    make: impl FnOnce(&Face) -> Result<String, Failure> + Send + 'static,
) -> Result<String, Failure> {
    let made = Arc::clone(&face);
    let permit = face.scans.acquire().await;
    let result = tokio::task::spawn_blocking(move || make(&made)).await;
    drop(permit);
    result.unwrap_or(Err(Failure::Fault))
}

async fn login(Query(parameters): Parameters) -> Response {
    let next = parameters
        .iter()
        .find(|(key, _)| key == "next")
        .map_or("/", |(_, v)| v.as_str());
    pages::login(own_path(next), false).map_or_else(Failure::into_response, |html| Html(html).into_response())
}

/// What the login form sends.
#[derive(serde::Deserialize)]
struct Login {
    token: String,
    #[serde(default)]
    next: String,
}

async fn log_in(
    State(face): State<Arc<Face>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Form(form): Form<Login>,
) -> Response {
    let next = own_path(&form.next);
    match face.gate.log_in(&form.token) {
        Some(cookie) => ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response(),
        None => {
            tracing::warn!(%peer, "a wrong token was sent to the audit page");
            // Whoever tries tokens tries few.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let html = pages::login(next, true);
            html.map_or_else(Failure::into_response, |html| {
                (StatusCode::UNAUTHORIZED, Html(html)).into_response()
            })
        }
    }
}

/// What the form of the log-out button sends.
#[derive(serde::Deserialize)]
struct Logout {
    csrf: String,
}

async fn log_out(
    State(face): State<Arc<Face>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Form(form): Form<Logout>,
) -> Response {
    if !visitor.sent(&form.csrf) {
        return problem(StatusCode::FORBIDDEN, "This form is not of your session.");
    }
    (
        [(header::SET_COOKIE, face.gate.log_out(&headers))],
        Redirect::to("/login"),
    )
        .into_response()
}

/// A path of this page, or its first one.
fn own_path(path: &str) -> &str {
    let own = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\n', '\r']);
    if own { path } else { "/" }
}

async fn ready(State(face): State<Arc<Face>>) -> Response {
    probe::ready(&face.shared).await
}

/// Anybody on this machine may read metrics; from elsewhere it takes the token.
async fn metrics(State(face): State<Arc<Face>>, headers: HeaderMap) -> Response {
    if !face.loopback && face.gate.visitor(&headers).is_none() {
        return problem(StatusCode::UNAUTHORIZED, "Send the token as Authorization: Bearer.");
    }
    (
        [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)],
        metrics::text(&face.shared),
    )
        .into_response()
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    (headers, text).into_response()
}

fn problem(status: StatusCode, message: &str) -> Response {
    let html = pages::problem(status, message);
    html.map_or_else(|_| status.into_response(), |html| (status, Html(html)).into_response())
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound(what) => problem(StatusCode::NOT_FOUND, what),
            Self::Unreadable(error) => {
                tracing::error!(%error, "the audit cannot be read");
                problem(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The audit files cannot be read. The program's log says why.",
                )
            }
            Self::Fault => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "This page could not be made: a fault of ours.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_login_leads_nowhere_else() {
        for (path, expected) in [
            ("/events?role=a", "/events?role=a"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("", "/"),
        ] {
            assert_eq!(own_path(path), expected);
        }
    }
}
