//! Findings as people and programs want them: underlined text, JSON, SARIF, GitHub annotations.

mod github;
mod json;
mod sarif;
mod text;

/// A path as a URI reference (RFC 3986): whatever is not unreserved, percent-encoded.
pub fn uri_path(path: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(byte).collect()
}
