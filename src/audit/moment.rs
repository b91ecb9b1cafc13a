//! Moments as people write them: a date, a time, an age.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

/// `2026-11-24`, `2026-11-24T06:30:00Z`, or an age: `90m`, `12h`, `7d`.
pub fn moment(text: &str, now: OffsetDateTime) -> Option<OffsetDateTime> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(time);
    }
    if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Some(date.midnight().assume_utc());
    }
    let (count, seconds) = [("m", 60), ("h", 3600), ("d", 86_400)]
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))?;
    let age = count.parse::<u32>().ok().map(i64::from)?.checked_mul(seconds)?;
    now.checked_sub(Duration::seconds(age))
}
