//! `--config FILE`: flags from a file, `pgpurpose.yaml`. A flag given on the command line holds before
//! an environment variable, and that before the file.
//!
//! The file is flat: `key: value` lines, keys named as the flags are; `audit.durability` is `audit-durability`. Nothing is read as YAML that a
//! flag could not hold.

use std::ffi::OsString;

/// A line that is none of the file's form, or a file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.to_string_lossy())]
    Unreadable {
        /// Which.
        path: OsString,
        /// Why not.
        cause: std::io::Error,
    },
    /// A line is not `key: value`.
    #[error("{}:{line}: expected key: value", path.to_string_lossy())]
    Line {
        /// In which file.
        path: OsString,
        /// Which line, from 1.
        line: usize,
    },
}

/// The arguments of the program with those of `serve --config FILE` put in where neither a flag nor an
/// environment variable speaks.
///
/// # Errors
/// See [`ConfigError`].
pub(super) fn with_file(
    arguments: Vec<OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, ConfigError> {
    if arguments.get(1).is_none_or(|command| command != "serve") {
        return Ok(arguments);
    }
    let Some(path) = value_of(&arguments, "--config").or_else(|| environment("PGPURPOSE_CONFIG")) else {
        return Ok(arguments);
    };
    let text = std::fs::read_to_string(&path).map_err(|cause| ConfigError::Unreadable {
        path: path.clone(),
        cause,
    })?;
    let settings = read(&text).map_err(|line| ConfigError::Line { path, line })?;
    let mut all = arguments;
    for (key, value) in settings {
        let flag = format!("--{}", key.replace(['_', '.'], "-"));
        let variable = format!("PGPURPOSE_{}", key.replace(['-', '.'], "_").to_ascii_uppercase());
        if is_given(&all, &flag) || environment(&variable).is_some() {
            continue;
        }
        match value.as_str() {
            "true" => all.push(flag.into()),
            "false" => {}
            _ => all.push(format!("{flag}={value}").into()),
        }
    }
    Ok(all)
}

fn is_given(arguments: &[OsString], flag: &str) -> bool {
    arguments.iter().any(|a| {
        a.to_str()
            .and_then(|a| a.strip_prefix(flag))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

fn value_of(arguments: &[OsString], flag: &str) -> Option<OsString> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str().and_then(|a| a.strip_prefix(flag)) {
            Some("") => return arguments.next().cloned(),
            Some(rest) if rest.starts_with('=') => return rest.get(1..).map(OsString::from),
            Some(_) | None => {}
        }
    }
    None
}

/// The settings; a line that is not of the form as its number.
fn read(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut settings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "---" {
            continue;
        }
        let (key, value) = line.split_once(':').ok_or(index + 1)?;
        let value = unquoted(value.trim()).ok_or(index + 1)?;
        let sound = !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'.'));
        if !sound || value.is_empty() {
            return Err(index + 1);
        }
        settings.push((key.to_owned(), value));
    }
    Ok(settings)
}

fn unquoted(value: &str) -> Option<String> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, after) = rest.split_once(quote)?;
            let after = after.trim_start();
            return (after.is_empty() || after.starts_with('#')).then(|| inner.to_owned());
        }
    }
    let plain = value.split(" #").next().unwrap_or_default().trim_end();
    (!plain.starts_with(['[', '{', '&', '*', '!', '|', '>'])).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_speaks_where_nothing_else_does() {
        let folder = std::env::temp_dir().join(format!("pgpurpose-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pgpurpose.yaml");
        let text = "# proxy\nupstream: postgres://db:5432\nlisten: 127.0.0.1:1\nrules: 'a b' # folder\nallow_trust: true\naudit.durability: system\n";
        std::fs::write(&file, text).unwrap();
        let arguments: Vec<OsString> = ["pgpurpose", "serve", "--listen=127.0.0.1:2", "--config"]
            .map(OsString::from)
            .into_iter()
            .chain([file.into_os_string()])
            .collect();
        let environment = |name: &str| (name == "PGPURPOSE_UPSTREAM").then(|| OsString::from("x"));
        let all = with_file(arguments.clone(), environment).unwrap();
        let added: Vec<_> = all.iter().skip(arguments.len()).map(|a| a.to_string_lossy()).collect();
        assert_eq!(added, ["--rules=a b", "--allow-trust", "--audit-durability=system"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_flag_is_an_error_with_its_line() {
        let cases = [
            ("a", 1),
            ("\na: b\n - c", 3),
            ("a: [b]", 1),
            ("A: b", 1),
            ("a:", 1),
            ("a: 'b", 1),
        ];
        for (text, line) in cases {
            assert_eq!(read(text), Err(line), "{text:?}");
        }
    }
}
