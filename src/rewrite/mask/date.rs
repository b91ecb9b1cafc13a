//! Masks of dates and timestamps: `generalize` and `date_shift`.
//!
//! Nothing here depends on the session's TimeZone or DateStyle: days begin in UTC.

use crate::policy::DateGrain;

use super::kind::Kind;
use super::{Site, keyed, op};

/// The first day of the month, quarter, year or decade. Infinities stay; what lies too near to the
/// type's limits is taken as the last day that does not.
pub(super) fn generalize(grain: DateGrain, site: &Site<'_>) -> Result<String, String> {
    let field = match grain {
        DateGrain::Month => "month",
        DateGrain::Quarter => "quarter",
        DateGrain::Year => "year",
        DateGrain::Decade => "decade",
    };
    let range = Range::of(site.kind)?;
    let clamped = range.clamp(&site.value, ("4700-01-01", "294270-01-01"));
    let truncated = match site.kind {
        Kind::Timestamptz => format!("pg_catalog.date_trunc('{field}', {clamped}, 'UTC')"),
        // A date goes through timestamp, never through timestamptz, as date_trunc would of itself.
        _ => format!("pg_catalog.date_trunc('{field}', {clamped}::pg_catalog.timestamp)"),
    };
    Ok(finite_or_as_is(&site.typed(&truncated), site))
}

/// Moved by a number of days, at most `days` either way and never none, that is the same for all
/// dates of one data subject. Without a subject, hidden.
pub(super) fn shift(days: u32, site: &Site<'_>) -> Result<String, String> {
    let range = Range::of(site.kind)?;
    let Some(subject) = site.subject else {
        return Err("it needs a table with a data subject".into());
    };
    if !(1..=36_500).contains(&days) {
        return Err("days must be from 1 to 36500".into());
    }
    let random = keyed::number(
        site.keys.pseudonym,
        "date_shift",
        &format!("{subject}::pg_catalog.text"),
        4,
    );
    let modulo = op(&random, "%", &(2 * u64::from(days)).to_string());
    let from_minus_days = op(&modulo, "-", &days.to_string());
    // Skips zero.
    let is_negative = op(&from_minus_days, "<", "0");
    let offset = format!(
        "{}::pg_catalog.int4",
        op(
            &from_minus_days,
            "+",
            &format!("CASE WHEN {is_negative} THEN 0 ELSE 1 END")
        )
    );
    let clamped = range.clamp(&site.value, ("4500-01-01", "294000-01-01"));
    let moved = match site.kind {
        Kind::Date => op(&clamped, "+", &offset),
        // Hours, since a day of timestamptz is 23 or 25 of them where the session's zone says so.
        _ => op(
            &clamped,
            "+",
            &format!("pg_catalog.make_interval(0, 0, 0, 0, {})", op("24", "*", &offset)),
        ),
    };
    let shown = finite_or_as_is(&site.typed(&moved), site);
    Ok(keyed::guarded(site.keys.pseudonym, &shown))
}

/// `isfinite(NULL)` is NULL, which takes the ELSE.
fn finite_or_as_is(shown: &str, site: &Site<'_>) -> String {
    let value = &site.value;
    format!("(CASE WHEN pg_catalog.isfinite({value}) THEN {shown} ELSE {value} END)")
}

/// The type and zone of the constants that a value is held against.
struct Range {
    type_sql: &'static str,
    zone: &'static str,
}

impl Range {
    fn of(kind: Kind) -> Result<Self, String> {
        match kind {
            Kind::Date => Ok(Self {
                type_sql: "pg_catalog.date",
                zone: "",
            }),
            Kind::Timestamp => Ok(Self {
                type_sql: "pg_catalog.timestamp",
                zone: " 00:00:00",
            }),
            Kind::Timestamptz => Ok(Self {
                type_sql: "pg_catalog.timestamptz",
                zone: " 00:00:00+00",
            }),
            Kind::Text
            | Kind::Varchar(_)
            | Kind::Bpchar(_)
            | Kind::Name
            | Kind::Citext
            | Kind::Bool
            | Kind::Int2
            | Kind::Int4
            | Kind::Int8
            | Kind::Numeric(_)
            | Kind::Float4
            | Kind::Float8
            | Kind::Uuid
            | Kind::Inet
            | Kind::Cidr
            | Kind::Json
            | Kind::Jsonb
            | Kind::Other => Err("it needs a column of dates or timestamps".into()),
        }
    }

    /// The value, or the nearer of the first day (before Christ) and the last.
    fn clamp(&self, value: &str, (first, last): (&str, &str)) -> String {
        let Self { type_sql, zone } = self;
        format!("GREATEST(LEAST({value}, '{last}{zone}'::{type_sql}), '{first}{zone} BC'::{type_sql})")
    }
}
