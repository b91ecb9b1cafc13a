//! Who may see the page: whoever has the token, in a header or, after the form, by a cookie.
//!
//! Comparisons take the same time whatever is wrong. What stays on the server of a session is a hash.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The cookie's name.
const COOKIE: &str = "pgpurpose";
/// A session ends so long after its login.
const LIFE: Duration = Duration::from_secs(12 * 3600);
/// So many sessions at once; the oldest gives way.
const MOST_SESSIONS: usize = 256;

type Hash = [u8; 32];

/// The token and the sessions that it opened.
pub struct Gate {
    token: Hash,
    sessions: Mutex<HashMap<Hash, Session>>,
}

#[derive(Clone)]
struct Session {
    csrf: String,
    until: Instant,
}

/// Somebody who may see the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// What a form must send back; empty where no cookie is used.
    pub csrf: String,
}

impl Gate {
    /// Opened by this token.
    pub fn new(token: &str) -> Self {
        Self {
            token: hash(token),
            sessions: Mutex::default(),
        }
    }

    /// 256 random bits, as text.
    pub fn draw() -> String {
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
    }

    /// The token is right: the value of a `Set-Cookie` header.
    pub fn log_in(&self, token: &str) -> Option<String> {
        if !is_same(&hash(token.trim()), &self.token) {
            return None;
        }
        let id = Self::draw();
        let session = Session {
            csrf: Self::draw(),
            until: Instant::now() + LIFE,
        };
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.until > Instant::now());
        if sessions.len() >= MOST_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, s)| s.until).map(|(id, _)| *id);
            oldest.map(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(hash(&id), session);
        Some(cookie(&id, LIFE.as_secs()))
    }

    /// Ends the session of a cookie: the value of a `Set-Cookie` header.
    pub fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(id) = session_id(headers) {
            self.lock().remove(&hash(id));
        }
        cookie("", 0)
    }

    /// Who asks, if it is somebody who may: by `Authorization: Bearer` or by a cookie.
    pub fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        if self.has_token(headers) {
            return Some(Visitor { csrf: String::new() });
        }
        let session = self.lock().get(&hash(session_id(headers)?)).cloned()?;
        (session.until > Instant::now()).then_some(Visitor { csrf: session.csrf })
    }

    /// The token stands in `Authorization: Bearer`.
    pub fn has_token(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let token = sent.and_then(|v| v.strip_prefix("Bearer "));
        token.is_some_and(|token| is_same(&hash(token.trim()), &self.token))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    /// A form of ours sent this back.
    pub fn sent(&self, csrf: &str) -> bool {
        !self.csrf.is_empty() && is_same(&hash(csrf), &hash(&self.csrf))
    }
}

/// A POST comes from a page of this very address, as far as the browser tells (Fetch Metadata; `Origin`, RFC
/// 6454).
pub fn is_own_form(headers: &HeaderMap) -> bool {
    let of = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let site = of("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = of("origin").is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && host == of("host")
    });
    site && origin
}

/// The `Host` that was asked for is this machine's own name: no other name led here.
pub fn is_loopback_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn cookie(id: &str, seconds: u64) -> String {
    format!("{COOKIE}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict")
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|v| v.to_str().ok());
    let mut pairs = cookies
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, id)| id)
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

fn is_same(a: &Hash, b: &Hash) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = header::HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn the_token_opens_a_session_and_logout_ends_it() {
        let gate = Gate::new("right");
        for wrong in ["", "wrong", "righ", "right1"] {
            assert!(gate.log_in(wrong).is_none());
            assert_eq!(
                gate.visitor(&headers(&[("authorization", &format!("Bearer {wrong}"))])),
                None
            );
        }
        assert!(gate.visitor(&headers(&[("authorization", "Bearer right")])).is_some());
        let set = gate.log_in("right\n").unwrap();
        assert!(set.contains("HttpOnly; SameSite=Strict"));
        let own = set.split(';').next().unwrap();
        let cookie = headers(&[("cookie", &format!("other=1; {own}"))]);
        let visitor = gate.visitor(&cookie).unwrap();
        assert!(visitor.sent(&visitor.csrf.clone()));
        assert!(!visitor.sent("") && !visitor.sent("x"));
        assert_eq!(gate.visitor(&headers(&[("cookie", "pgpurpose=guess")])), None);
        gate.log_out(&cookie);
        assert_eq!(gate.visitor(&cookie), None);
    }

    #[test]
    fn forms_of_others_and_other_names_are_told() {
        assert!(is_own_form(&headers(&[("host", "a:1"), ("origin", "http://a:1")])));
        assert!(is_own_form(&headers(&[
            ("host", "a:1"),
            ("sec-fetch-site", "same-origin")
        ])));
        for foreign in [
            [("host", "a:1"), ("origin", "http://b:1")],
            [("host", "a:1"), ("origin", "null")],
            [("host", "a:1"), ("sec-fetch-site", "cross-site")],
            [("host", "a:1"), ("sec-fetch-site", "none")],
        ] {
            assert!(!is_own_form(&headers(&foreign)), "{foreign:?}");
        }
        for (host, own) in [
            ("localhost:1", true),
            ("127.0.0.1", true),
            ("[::1]:9", true),
            ("evil.example:1", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback_name(&headers(&[("host", host)])), own, "{host}");
        }
    }
}
