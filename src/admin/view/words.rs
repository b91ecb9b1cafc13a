//! Numbers, times and durations as people read them.

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 statement`, `2 statements`.
pub fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `4.1 MB`
pub fn bytes(number: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
    let (unit, size) = UNITS.into_iter().find(|(_, size)| number >= *size).unwrap_or(("B", 1));
    let (whole, tenth) = (number / size, number % size * 10 / size);
    if size == 1 || whole >= 100 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenth} {unit}")
    }
}

/// `1.2 ms`
pub fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        1_000_000..3_600_000_000 => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
        3_600_000_000.. => format!("{} h {:02} min", micros / 3_600_000_000, micros / 60_000_000 % 60),
    }
}

/// `2026-11-24T06:41:05.000120Z` as `2026-11-24 06:41:05`.
pub fn time(text: &str) -> String {
    text.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// The day and the time of day of a record's `time`.
pub fn day_and_clock(text: &str) -> (String, String) {
    let part = |from, length| text.chars().skip(from).take(length).collect();
    (part(0, 10), part(11, 8))
}

/// Blanks and line ends as one blank each, cut where it gets long.
pub fn one_line(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// What is left of a text when nothing in it moves or hides others: characters that cannot be seen stand
/// as their codes.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if crate::audit::is_unprintable(c) && c != '\n' && c != '\t' {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"].map(str::to_owned)
        );
        assert_eq!(
            [0, 1023, 1536, 200 << 20].map(bytes),
            ["0 B", "1023 B", "1.5 kB", "200 MB"].map(str::to_owned)
        );
        assert_eq!(
            [12, 1234, 61_000_000].map(duration),
            ["12 µs", "1.2 ms", "61.0 s"].map(str::to_owned)
        );
        assert_eq!(counted(1, "row") + &counted(2, " row"), "1 row2  rows");
    }

    #[test]
    fn texts() {
        assert_eq!(one_line("a\n  b\tc", 9), "a b c");
        assert_eq!(one_line("äbcdef", 2), "äb…");
        assert_eq!(visible("a\u{202e}b\n"), "a\\u{202e}b\n");
        assert_eq!(time("2026-11-24T06:41:05.000120Z"), "2026-11-24 06:41:05");
        assert_eq!(day_and_clock("2026-11-24T06:41:05.000120Z").1, "06:41:05");
    }
}
