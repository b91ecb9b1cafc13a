//! Masks of numbers (`round`) and addresses (`ip_prefix`).

use super::kind::Kind;
use super::{Site, op};

/// Below what numeric can hold by enough that taking a step off cannot overflow.
const NUMERIC_FLOOR: &str = "-1e131000";

/// Down to a multiple of `step`, in exact arithmetic. What would fall below the type's range
/// stays at its lower limit; NaN and the infinities stay as they are.
pub(super) fn round(step: &str, site: &Site<'_>) -> Result<String, String> {
    let scale = step_scale(step)?;
    let value = &site.value;
    let numeric = |sql: &str| format!("{sql}::pg_catalog.numeric");
    match site.kind {
        Kind::Int2 => Ok(round_integer(&whole(step, scale)?, "-32768", site)),
        Kind::Int4 => Ok(round_integer(&whole(step, scale)?, "-2147483648", site)),
        Kind::Int8 => Ok(round_integer(&whole(step, scale)?, "-9223372036854775808", site)),
        Kind::Numeric(modifier) => {
            let lowest = modifier.map(lowest_of);
            let clamped = format!("GREATEST({value}, '{NUMERIC_FLOOR}'::pg_catalog.numeric)");
            let floored = floor_to(&clamped, step);
            let shown = match lowest {
                Some(lowest) => site.typed(&format!("GREATEST({floored}, '{lowest}'::pg_catalog.numeric)")),
                // So that the number of decimals does not tell of the value.
                None => format!("pg_catalog.round({floored}, {scale})"),
            };
            Ok(finite_or_as_is(value, "'0'::pg_catalog.numeric", &shown, site))
        }
        Kind::Float4 => Ok(round_float("1e37", step, &numeric, site)),
        Kind::Float8 => Ok(round_float("1e300", step, &numeric, site)),
        Kind::Text
        | Kind::Varchar(_)
        | Kind::Bpchar(_)
        | Kind::Name
        | Kind::Citext
        | Kind::Bool
        | Kind::Date
        | Kind::Timestamp
        | Kind::Timestamptz
        | Kind::Uuid
        | Kind::Inet
        | Kind::Cidr
        | Kind::Json
        | Kind::Jsonb
        | Kind::Other => Err("it needs a column of numbers".into()),
    }
}

/// The network of at most so many bits that an address is in.
pub(super) fn ip_prefix(v4: u8, v6: u8, site: &Site<'_>) -> Result<String, String> {
    if !matches!(site.kind, Kind::Inet | Kind::Cidr) {
        return Err("it needs an inet or cidr column".into());
    }
    if v4 > 32 || v6 > 128 {
        return Err("v4 is at most 32 and v6 at most 128".into());
    }
    let value = &site.value;
    let is_v4 = op(&format!("pg_catalog.family({value})"), "=", "4");
    let bits = format!("LEAST(pg_catalog.masklen({value}), CASE WHEN {is_v4} THEN {v4} ELSE {v6} END)");
    Ok(site.typed(&format!("pg_catalog.network(pg_catalog.set_masklen({value}, {bits}))")))
}

fn round_integer(step: &str, lowest: &str, site: &Site<'_>) -> String {
    let floored = floor_to(&format!("{}::pg_catalog.numeric", site.value), step);
    site.typed_unless_null(&format!("GREATEST({floored}, '{lowest}'::pg_catalog.numeric)"))
}

fn round_float(limit: &str, step: &str, numeric: &dyn Fn(&str) -> String, site: &Site<'_>) -> String {
    // Through double precision, which keeps 15 digits on the way to numeric where real keeps six.
    let value = format!("{}::pg_catalog.float8", site.value);
    let clamped = format!("GREATEST(LEAST({value}, '{limit}'::pg_catalog.float8), '-{limit}'::pg_catalog.float8)");
    let floored = floor_to(&numeric(&clamped), step);
    finite_or_as_is(&value, "'0'::pg_catalog.float8", &site.typed(&floored), site)
}

/// `x - x` is NaN, and not zero, where x is NaN or infinite; NULL takes the ELSE.
fn finite_or_as_is(value: &str, zero: &str, shown: &str, site: &Site<'_>) -> String {
    let is_finite = op(&op(value, "-", value), "=", zero);
    format!("(CASE WHEN {is_finite} THEN {shown} ELSE {} END)", site.value)
}

/// The greatest multiple of `step` that is not above `numeric`: `mod` is exact, a quotient is not.
fn floor_to(numeric: &str, step: &str) -> String {
    let step = format!("'{step}'::pg_catalog.numeric");
    let remainder = format!("pg_catalog.mod({numeric}, {step})");
    let above = format!("pg_catalog.mod({}, {step})", op(&remainder, "+", &step));
    op(numeric, "-", &above)
}

/// The least value of numeric(precision, scale).
fn lowest_of((precision, scale): (i32, i32)) -> String {
    let digits = "9".repeat(usize::try_from(precision).unwrap_or(1));
    format!("-{digits}e{}", -scale)
}

/// Checks that `step` is a positive decimal constant; gives its number of decimals.
fn step_scale(step: &str) -> Result<usize, String> {
    let (whole, decimals) = step.split_once('.').unwrap_or((step, ""));
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(decimals) || (step.contains('.') && decimals.is_empty())
    {
        return Err("its argument must be a decimal number".into());
    }
    if whole.len() > 30 || decimals.len() > 30 {
        return Err("its argument has too many digits".into());
    }
    if step.bytes().all(|b| b == b'0' || b == b'.') {
        return Err("its argument must be above zero".into());
    }
    Ok(decimals.trim_end_matches('0').len())
}

/// `step` as a whole number, for integer columns.
fn whole(step: &str, scale: usize) -> Result<String, String> {
    if scale > 0 {
        return Err("an integer column is rounded to a multiple of a whole number".into());
    }
    Ok(step.split('.').next().unwrap_or(step).to_owned())
}
