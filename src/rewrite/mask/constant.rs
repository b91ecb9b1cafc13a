//! `constant: v`: one value for all. Only where `v` is sure to be a value of the type, by readers
//! that accept less than PostgreSQL does.

use super::Site;
use super::kind::Kind;
use crate::rewrite::quote;

pub(super) fn constant(value: &str, site: &Site<'_>) -> Result<String, String> {
    check(value, site.kind)?;
    Ok(site.typed_unless_null(&quote::literal(value)))
}

fn check(value: &str, kind: Kind) -> Result<(), String> {
    let valid = match kind {
        Kind::Text | Kind::Citext => !value.contains('\0'),
        Kind::Varchar(length) | Kind::Bpchar(length) => {
            !value.contains('\0') && length.is_none_or(|n| value.chars().count() <= n)
        }
        Kind::Name => !value.contains('\0') && value.len() < 64,
        Kind::Bool => matches!(
            value,
            "true" | "false" | "t" | "f" | "yes" | "no" | "on" | "off" | "1" | "0"
        ),
        Kind::Int2 => is_plain_number(value) && value.parse::<i16>().is_ok(),
        Kind::Int4 => is_plain_number(value) && value.parse::<i32>().is_ok(),
        Kind::Int8 => is_plain_number(value) && value.parse::<i64>().is_ok(),
        Kind::Numeric(modifier) => is_numeric(value, modifier),
        Kind::Float4 => is_plain_number(value) && value.parse::<f32>().is_ok_and(f32::is_finite),
        Kind::Float8 => is_plain_number(value) && value.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Date => is_date(value),
        Kind::Timestamp => is_timestamp(value),
        Kind::Timestamptz => value
            .strip_suffix('Z')
            .or_else(|| value.strip_suffix("+00"))
            .is_some_and(|naive| naive.contains(':') && is_timestamp(naive)),
        Kind::Uuid => value.len() == 36 && uuid::Uuid::parse_str(value).is_ok(),
        Kind::Inet => value.parse::<std::net::IpAddr>().is_ok(),
        Kind::Cidr => value.parse::<std::net::IpAddr>().is_ok(),
        Kind::Json | Kind::Jsonb => matches!(value, "{}" | "[]" | "null" | "\"\"" | "true" | "false" | "0"),
        Kind::Other => return Err("whether a constant is a value of this type cannot be checked".into()),
    };
    if valid {
        return Ok(());
    }
    Err(match kind {
        Kind::Timestamptz => "the constant must be a timestamp in UTC, such as 1970-01-01 00:00:00+00".into(),
        Kind::Varchar(_) | Kind::Bpchar(_) | Kind::Name => "the constant is too long".into(),
        _ => "the constant is no plain value of this type".into(),
    })
}

/// Digits with a sign and a point, at most thirty or so: no exponent, no white space.
fn is_plain_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.len() <= 30 && s.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(decimals)
}

fn is_numeric(value: &str, modifier: Option<(i32, i32)>) -> bool {
    let Some((precision, scale)) = modifier else {
        return is_plain_number(value);
    };
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let whole_digits = i32::try_from(whole.trim_start_matches('0').len()).unwrap_or(i32::MAX);
    let decimal_digits = i32::try_from(decimals.trim_end_matches('0').len()).unwrap_or(i32::MAX);
    is_plain_number(value) && whole_digits <= precision.saturating_sub(scale) && decimal_digits <= scale.max(0)
}

/// `2000-01-31`
fn is_date(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let &[year, month, day] = parts.as_slice() else {
        return false;
    };
    let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return false;
    }
    let (Ok(year), Ok(month), Ok(day)) = (year.parse::<i32>(), month.parse::<u8>(), day.parse::<u8>()) else {
        return false;
    };
    year > 0 && time::Month::try_from(month).is_ok_and(|month| time::Date::from_calendar_date(year, month, day).is_ok())
}

/// A date, or a date and `12:34` or `12:34:56`.
fn is_timestamp(value: &str) -> bool {
    let Some((date, clock)) = value.split_once([' ', 'T']) else {
        return is_date(value);
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let limits = [23_u8, 59, 59];
    is_date(date)
        && (2..=3).contains(&parts.len())
        && parts
            .iter()
            .zip(limits)
            .all(|(part, most)| part.len() == 2 && part.parse::<u8>().is_ok_and(|n| n <= most) && !part.contains('+'))
}
