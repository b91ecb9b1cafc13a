//! What a page is asked for, as its address says it: filters are links, and every view can be sent to
//! somebody else.

use time::OffsetDateTime;

use crate::audit::query::Filter;
use crate::audit::{moment_at, timestamp};

/// What may be asked for, each with its words.
pub const KEYS: [(&str, &str); 14] = [
    ("purpose", "purpose"),
    ("role", "role"),
    ("actor", "actor"),
    ("outcome", "outcome"),
    ("code", "code"),
    ("table", "table"),
    ("column", "column"),
    ("category", "data category"),
    ("form", "released form"),
    ("application", "application"),
    ("session", "session"),
    ("event", "kind of event"),
    ("subject", "data subject (hash)"),
    ("until", "before"),
];

/// The periods that every page offers.
pub const PERIODS: [(&str, &str); 5] = [
    ("1h", "hour"),
    ("24h", "day"),
    ("7d", "week"),
    ("30d", "30 days"),
    ("all", "all"),
];

/// Where no period is asked for.
const DEFAULT_PERIOD: &str = "24h";
/// A longer value is none that anybody meant.
const LONGEST: usize = 512;

/// The filters of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// From when on: an age, a date, a time, or `all`.
    pub since: String,
    /// Keys of [`KEYS`] with what they must be, in that order.
    set: Vec<(&'static str, String)>,
    /// Only events before this record.
    pub before: Option<u64>,
}

/// A filter that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its words.
    pub label: &'static str,
    /// What it must be.
    pub value: String,
    /// The same page without it.
    pub without: String,
}

/// The same page for another period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Its words.
    pub label: &'static str,
    /// Its address.
    pub link: String,
    /// It is the one shown.
    pub here: bool,
}

impl Question {
    /// Reads the parameters of an address; what is unknown or empty is left out.
    pub fn new(parameters: &[(String, String)]) -> Self {
        let of = |key: &str| {
            let values = parameters.iter().filter(|(k, v)| k == key && v.len() <= LONGEST);
            values.map(|(_, v)| v.trim()).find(|v| !v.is_empty())
        };
        let set = KEYS.iter().filter_map(|(key, _)| Some((*key, of(key)?.to_owned())));
        Self {
            since: of("since").unwrap_or(DEFAULT_PERIOD).to_owned(),
            set: set.collect(),
            before: of("before").and_then(|v| v.parse().ok()),
        }
    }

    /// What a key must be; empty where it may be anything.
    pub fn get(&self, key: &str) -> &str {
        self.set.iter().find(|(k, _)| *k == key).map_or("", |(_, v)| v.as_str())
    }

    /// For a search.
    pub fn filter(&self, now: OffsetDateTime) -> Filter {
        let of = |key| Some(self.get(key).to_owned()).filter(|v| !v.is_empty());
        let time = |text: &str| moment_at(text, now).map(timestamp);
        Filter {
            id: None,
            role: of("role"),
            purpose: of("purpose"),
            actor: of("actor"),
            application: of("application"),
            session: of("session"),
            outcome: of("outcome"),
            code: of("code"),
            table: of("table"),
            column: of("column"),
            category: of("category"),
            form: of("form"),
            subjects: of("subject").into_iter().collect(),
            event: of("event"),
            since: time(&self.since),
            until: time(self.get("until")),
        }
    }

    /// Names the question, times as they were given.
    pub fn key(&self) -> String {
        self.link("", &[])
    }

    /// The address of `path` with these filters and some others instead; an empty value takes one away.
    pub fn link(&self, path: &str, other: &[(&str, &str)]) -> String {
        let own = |key: &str| {
            if key == "since" {
                self.since.as_str()
            } else {
                self.get(key)
            }
        };
        let keys = std::iter::once("since")
            .chain(KEYS.iter().map(|(key, _)| *key))
            .chain(["before"]);
        let parts = keys.filter_map(|key| {
            let other = other.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
            let value = other.unwrap_or_else(|| own(key));
            (!value.is_empty()).then(|| format!("{key}={}", encoded(value)))
        });
        let query: Vec<String> = parts.collect();
        format!("{path}?{}", query.join("&"))
    }

    /// The filters that are set.
    pub fn set(&self, path: &str) -> Vec<Set> {
        let label = |key: &str| KEYS.iter().find(|(k, _)| *k == key).map_or("", |(_, label)| label);
        let set = self.set.iter().map(|(key, value)| Set {
            label: label(key),
            value: value.clone(),
            without: self.link(path, &[(key, "")]),
        });
        set.collect()
    }

    /// The same page for other periods.
    pub fn periods(&self, path: &str) -> Vec<Period> {
        let each = PERIODS.iter().map(|(since, label)| Period {
            label,
            link: self.link(path, &[("since", since), ("until", "")]),
            here: *since == self.since && self.get("until").is_empty(),
        });
        each.collect()
    }

    /// The period in words: `in the last day`.
    pub fn period(&self) -> String {
        let until = self.get("until");
        match self.since.as_str() {
            _ if !until.is_empty() => format!("from {} until {until}", self.since),
            "1h" => "in the last hour".into(),
            "24h" => "in the last 24 hours".into(),
            "7d" => "in the last week".into(),
            "30d" => "in the last 30 days".into(),
            "all" => "since the log began".into(),
            other => format!("since {other}"),
        }
    }
}

/// Percent-encoded for a query (RFC 3986, unreserved characters as they are).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Question {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Question::new(&pairs)
    }

    #[test]
    fn links_keep_what_is_set_and_change_one_thing() {
        let question = asked(&[
            ("role", "a&b=c\"<>"),
            ("nonsense", "1"),
            ("purpose", ""),
            ("before", "7"),
        ]);
        assert_eq!(
            question.link("/events", &[]),
            "/events?since=24h&role=a%26b%3Dc%22%3C%3E"
        );
        assert_eq!(
            question.link("/events", &[("role", ""), ("code", "x")]),
            "/events?since=24h&code=x"
        );
        assert_eq!(question.before, Some(7));
        assert_eq!(question.set("/")[0].without, "/?since=24h");
    }

    #[test]
    fn a_period_is_an_age_a_date_or_everything() {
        let now = time::macros::datetime!(2026-11-24 12:00 UTC);
        for (since, expected) in [
            ("7d", Some("2026-11-17T12:00:00.000000Z")),
            ("2026-11-01", Some("2026-11-01T00:00:00.000000Z")),
            ("all", None),
            ("nonsense", None),
        ] {
            assert_eq!(asked(&[("since", since)]).filter(now).since.as_deref(), expected);
        }
        assert_eq!(
            asked(&[]).filter(now).since.as_deref(),
            Some("2026-11-23T12:00:00.000000Z")
        );
    }
}
