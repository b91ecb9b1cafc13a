//! The start-up packet that goes to the server, built anew from what the client asked for.
//!
//! Pure. Nothing of the client's packet is forwarded that was not read and found on a list.

use crate::catalog::lists;
use crate::policy::Policy;
use crate::wire::ErrorFields;
use crate::wire::startup::{self, Startup};

use super::refusal::fatal;
use super::settings::{Followed, Setting, Source};

/// Length, version and the last byte of a start-up packet.
const STARTUP_OVERHEAD: usize = 9;

/// Who logs in where, as the client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// Settings, each name once, in lower case.
    pub settings: Vec<(String, String)>,
}

impl Asked {
    /// Reads what the client asked for.
    ///
    /// # Errors
    /// What is refused, ready to be sent.
    pub fn read(startup: &Startup) -> Result<Self, ErrorFields> {
        let mut asked = Self {
            user: String::new(),
            database: String::new(),
            settings: Vec::new(),
        };
        let mut options = Vec::new();
        let mut others = Vec::new();
        for (name, value) in &startup.parameters {
            match name.as_str() {
                "user" => asked.user.clone_from(value),
                "database" => asked.database.clone_from(value),
                "options" => options = read_options(value)?,
                "replication" => no_replication(value)?,
                _ => others.push((name.clone(), value.clone())),
            }
        }
        if asked.user.is_empty() {
            return Err(fatal("28000", "no PostgreSQL user name specified in startup packet"));
        }
        if asked.database.is_empty() {
            asked.database.clone_from(&asked.user);
        }
        if asked.user.len() > 63 || asked.database.len() > 63 {
            return Err(fatal("28000", "names of roles and databases have at most 63 bytes"));
        }
        // As in PostgreSQL, a parameter of its own comes after `options`.
        for (name, value) in options.into_iter().chain(others) {
            asked.set(name.to_ascii_lowercase(), value)?;
        }
        Ok(asked)
    }

    fn set(&mut self, name: String, value: String) -> Result<(), ErrorFields> {
        if name == "standard_conforming_strings" {
            return check_strings(&value);
        }
        lists::may_set(&name, &value).map_err(|reason| {
            let message = format!("setting \"{name}\" cannot be given at start-up through this proxy");
            fatal("42501", message).with(b'D', reason)
        })?;
        match self.settings.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.settings.push((name, value)),
        }
        Ok(())
    }

    /// `application_name`
    pub fn application(&self) -> Option<&str> {
        self.get("application_name")
    }

    /// Settings are read alike here, as UTF-8, and by a server that takes them in whatever encoding its database has.
    /// Of application_name it keeps ASCII only.
    pub fn is_read_alike(&self) -> bool {
        let mut settings = self.settings.iter();
        settings.all(|(name, value)| name == "application_name" || value.is_ascii())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What a followed setting starts as; `search_path` is the server's to say.
    pub fn initial(&self, setting: Followed, policy: &Policy) -> Setting {
        let default = match setting {
            Followed::Purpose => policy.roles.get(&self.user).and_then(|r| r.default_purpose.as_deref()),
            Followed::Reason
            | Followed::Subject
            | Followed::Actor
            | Followed::SearchPath
            | Followed::ClientEncoding
            | Followed::Messages => None,
            // Never the client's.
            Followed::StatementSubject => return Setting::text("", Source::Startup),
        };
        match self.get(setting.name()) {
            Some(value) => Setting::text(value, Source::Startup),
            None => Setting::text(default.unwrap_or_default(), Source::RoleDefault),
        }
    }

    /// The parameters for the server: ours last, so that they hold.
    ///
    /// # Errors
    /// More than PostgreSQL reads at start-up: it would hang up without a word.
    pub fn parameters(
        &self,
        policy: &Policy,
        secrets: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, ErrorFields> {
        let mut all = vec![
            ("user".to_owned(), self.user.clone()),
            ("database".to_owned(), self.database.clone()),
        ];
        let followed = |name: &str| name.starts_with("pgpurpose.");
        all.extend(self.settings.iter().filter(|(n, _)| !followed(n)).cloned());
        let mut ours = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
        if self.get("client_encoding").is_none() {
            ours("client_encoding", "UTF8");
        }
        ours("standard_conforming_strings", "on");
        let first = Followed::ALL
            .into_iter()
            .filter(|setting| setting.name().starts_with("pgpurpose."));
        for setting in first {
            ours(setting.name(), self.initial(setting, policy).as_text());
        }
        ours("pgpurpose.version", env!("CARGO_PKG_VERSION"));
        ours("pgpurpose.policy", &format!("{} {}", policy.revision, policy.sha256));
        all.extend(secrets);
        let length: usize = all.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        match length + STARTUP_OVERHEAD <= startup::LIMIT {
            true => Ok(all),
            false => Err(fatal(
                "54000",
                "the session needs more settings than PostgreSQL reads at start-up",
            )
            .with(
                b'H',
                "grant the role fewer purposes with keyed masks, or send fewer settings",
            )),
        }
    }
}

fn no_replication(value: &str) -> Result<(), ErrorFields> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" => Ok(()),
        _ => Err(fatal("0A000", "replication connections are not served by this proxy")),
    }
}

fn check_strings(value: &str) -> Result<(), ErrorFields> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(()),
        _ => Err(fatal(
            "22023",
            "standard_conforming_strings is always on through this proxy",
        )),
    }
}

/// `-c name=value` and `--name=value`, as PostgreSQL's `pg_split_opts` and `ParseLongOption` read them.
fn read_options(options: &str) -> Result<Vec<(String, String)>, ErrorFields> {
    let mut settings = Vec::new();
    let mut words = split_options(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("-c"), word.strip_prefix("--")) {
            (Some(""), _) => words.next(),
            (Some(setting), _) | (None, Some(setting)) => Some(setting.to_owned()),
            (None, None) => return Err(refused_option(&word)),
        };
        match setting.as_deref().and_then(|s| s.split_once('=')) {
            Some((name, value)) if !name.is_empty() => settings.push((name.replace('-', "_"), value.to_owned())),
            Some(_) | None => return Err(refused_option(&word)),
        }
    }
    Ok(settings)
}

fn refused_option(word: &str) -> ErrorFields {
    let message = format!("invalid command-line argument for server process: {word}");
    fatal("42601", message).with(b'H', "options may hold -c name=value only")
}

fn split_options(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(c) = characters.next() {
        let c = match c {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => {
                words.extend(word.take());
                continue;
            }
            '\\' => match characters.next() {
                Some(escaped) => escaped,
                None => continue,
            },
            plain => plain,
        };
        word.get_or_insert_default().push(c);
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parameters: &[(&str, &str)]) -> Result<Asked, String> {
        let startup = Startup {
            protocol: crate::wire::startup::PROTOCOL_3_0,
            protocol_options: vec![],
            parameters: parameters.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        };
        Asked::read(&startup).map_err(|fields| fields.sqlstate().to_owned())
    }

    #[test]
    fn options_are_split_as_postgresql_splits_them() {
        let cases: [(&str, &[&str]); 5] = [
            ("", &[]),
            ("-c a=b  --c-d=e", &["-c", "a=b", "--c-d=e"]),
            ("-c\\ a=b\\\\c", &["-c a=b\\c"]),
            (" a\tb ", &["a", "b"]),
            ("a\\", &["a"]),
        ];
        for (text, words) in cases {
            assert_eq!(split_options(text), words, "{text:?}");
        }
        let settings = read_options("-c a=b --search-path=x -cgeqo=off -c d=e\\ f").unwrap();
        let shown: Vec<String> = settings.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(shown, ["a=b", "search_path=x", "geqo=off", "d=e f"]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let user = ("user", "a");
        let cases: [(&[(&str, &str)], &str); 9] = [
            (&[], "28000"),
            (&[user, ("replication", "database")], "0A000"),
            (&[user, ("replication", "true")], "0A000"),
            (&[user, ("standard_conforming_strings", "off")], "22023"),
            (&[user, ("session_preload_libraries", "x")], "42501"),
            (&[user, ("options", "-c session_authorization=b")], "42501"),
            (&[user, ("options", "-d 5")], "42601"),
            (&[user, ("options", "-c a")], "42601"),
            (&[user, ("options", "-c")], "42601"),
        ];
        for (parameters, sqlstate) in cases {
            assert_eq!(read(parameters), Err(sqlstate.to_owned()), "{parameters:?}");
        }
    }

    #[test]
    fn the_clients_settings_are_kept_each_once() {
        let asked = read(&[
            ("user", "a"),
            ("options", "-c pgpurpose.purpose=x -c DateStyle=ISO"),
            ("PgPurpose.Purpose", "y"),
            ("replication", "off"),
            ("client_encoding", "utf-8"),
        ])
        .unwrap();
        assert_eq!(asked.database, "a");
        let shown: Vec<String> = asked.settings.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(shown, ["pgpurpose.purpose=y", "datestyle=ISO", "client_encoding=utf-8"]);
    }
}
