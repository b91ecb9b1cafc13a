//! Moments as people write them (a date, a time, an age), and as records do.

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

/// RFC 3339, UTC, always with six digits of a second: `2026-11-24T06:41:05.000120Z`.
pub fn timestamp(time: OffsetDateTime) -> String {
    let mut out = Vec::with_capacity(27);
    write_timestamp(&mut out, time);
    String::from_utf8(out).unwrap_or_default()
}

pub(super) fn write_timestamp(out: &mut Vec<u8>, time: OffsetDateTime) {
    let time = time.to_offset(time::UtcOffset::UTC);
    padded::<4>(out, u32::try_from(time.year()).unwrap_or(0));
    out.push(b'-');
    padded::<2>(out, u32::from(u8::from(time.month())));
    out.push(b'-');
    padded::<2>(out, u32::from(time.day()));
    out.push(b'T');
    padded::<2>(out, u32::from(time.hour()));
    out.push(b':');
    padded::<2>(out, u32::from(time.minute()));
    out.push(b':');
    padded::<2>(out, u32::from(time.second()));
    out.push(b'.');
    padded::<6>(out, time.microsecond());
    out.push(b'Z');
}

/// The last `N` digits of a number.
fn padded<const N: usize>(out: &mut Vec<u8>, number: u32) {
    let mut digits = [b'0'; N];
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::moment;

    #[test]
    fn moments() {
        let now = datetime!(2026-11-24 12:00 UTC);
        for (text, expected) in [
            ("2026-11-24", Some(datetime!(2026-11-24 0:00 UTC))),
            ("2026-11-24T08:00:00+02:00", Some(datetime!(2026-11-24 6:00 UTC))),
            ("90m", Some(datetime!(2026-11-24 10:30 UTC))),
            ("12h", Some(datetime!(2026-11-24 0:00 UTC))),
            ("7d", Some(datetime!(2026-11-17 12:00 UTC))),
            ("d", None),
            ("-1d", None),
            ("4294967295d", None),
            ("yesterday", None),
        ] {
            assert_eq!(moment(text, now), expected, "{text}");
        }
    }
}
