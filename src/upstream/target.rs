//! `postgres://user:password@host:port,host:port/database?sslmode=…`, read.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::ServerOptions;
use super::standing::SessionAttributes;
use crate::tls::{ClientFiles, SslMode};

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A server, and who logs in where.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The server; where there are several, in the order in which they are tried.
    pub addresses: Vec<Address>,
    /// Which of them will do.
    pub attributes: SessionAttributes,
    /// Role.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Zeroizing<String>>,
    /// Database.
    pub database: Option<String>,
    /// `sslmode`, if it is given.
    pub ssl_mode: Option<SslMode>,
    /// `sslnegotiation=direct`
    pub direct: bool,
    /// `sslrootcert`, `sslcert`, `sslkey`.
    pub files: ClientFiles,
}

impl Target {
    /// The options with what the URL says instead.
    pub fn options(&self, base: ServerOptions) -> ServerOptions {
        let files = &self.files;
        let or = |own: &Option<PathBuf>, base: Option<PathBuf>| own.clone().or(base);
        ServerOptions {
            ssl_mode: self.ssl_mode.unwrap_or(base.ssl_mode),
            direct: self.direct || base.direct,
            files: ClientFiles {
                authorities: or(&files.authorities, base.files.authorities),
                certificate: or(&files.certificate, base.files.certificate),
                key: or(&files.key, base.files.key),
            },
            attributes: self.attributes,
            ..base
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        write!(
            f,
            "Target({}, {:?}, {:?})",
            addresses.join(","),
            self.user,
            self.database
        )
    }
}

/// Why a URL is not usable. Never repeats the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not `postgres://` or `postgresql://`.
    #[error("a server is named as postgres://host:port")]
    Scheme,
    /// The port is not a number.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// `%` without two hex digits, or not UTF-8.
    #[error("bad %-escape")]
    Escape,
    /// `?key=value` with a key that is not known, or a value that is not.
    #[error("after ? may stand sslmode, sslnegotiation, sslrootcert, sslcert, sslkey and target_session_attrs")]
    Parameters,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or(TargetError::Scheme)?;
        if rest.contains('#') {
            return Err(TargetError::Parameters);
        }
        let (rest, parameters) = match rest.split_once('?') {
            Some((rest, parameters)) => (rest, parameters),
            None => (rest, ""),
        };
        let (authority, database) = match rest.split_once('/') {
            Some((authority, database)) => (authority, some(database)?),
            None => (rest, None),
        };
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (login, place),
            None => ("", authority),
        };
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (some(user)?, some(password)?),
            None => (some(login)?, None),
        };
        let mut target = Self {
            addresses: place.split(',').map(address).collect::<Result<_, _>>()?,
            attributes: SessionAttributes::default(),
            user,
            password: password.map(Zeroizing::new),
            database,
            ssl_mode: None,
            direct: false,
            files: ClientFiles::default(),
        };
        for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
            target.parameter(parameter)?;
        }
        Ok(target)
    }
}

impl Target {
    fn parameter(&mut self, parameter: &str) -> Result<(), TargetError> {
        let (key, value) = parameter.split_once('=').ok_or(TargetError::Parameters)?;
        let value = some(value)?.ok_or(TargetError::Parameters)?;
        match key {
            "sslmode" => self.ssl_mode = Some(value.parse().map_err(|_| TargetError::Parameters)?),
            "sslnegotiation" => match value.as_str() {
                "postgres" => self.direct = false,
                "direct" => self.direct = true,
                _ => return Err(TargetError::Parameters),
            },
            "sslrootcert" => self.files.authorities = Some(value.into()),
            "sslcert" => self.files.certificate = Some(value.into()),
            "sslkey" => self.files.key = Some(value.into()),
            "target_session_attrs" => {
                self.attributes = SessionAttributes::read(&value).ok_or(TargetError::Parameters)?;
            }
            _ => return Err(TargetError::Parameters),
        }
        Ok(())
    }
}

fn address(place: &str) -> Result<Address, TargetError> {
    let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        None | Some("") => 5432,
        Some(port) => port.parse().ok().filter(|&p| p != 0).ok_or(TargetError::Port)?,
    };
    let host = some(host)?.unwrap_or_else(|| "localhost".into());
    Ok(Address { host, port })
}

fn some(text: &str) -> Result<Option<String>, TargetError> {
    Ok(Some(unescape(text)?).filter(|t| !t.is_empty()))
}

fn unescape(text: &str) -> Result<String, TargetError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            rest.next()
                .and_then(|b| char::from(b).to_digit(16))
                .ok_or(TargetError::Escape)
        };
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| TargetError::Escape)?);
    }
    String::from_utf8(bytes).map_err(|_| TargetError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let ok = |url: &str| {
            let t: Target = url.parse().unwrap();
            let word = |o: Option<String>| o.unwrap_or_else(|| "-".into());
            format!(
                "{} {} {} {}",
                t.addresses
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(","),
                word(t.user),
                word(t.password.map(|password| password.to_string())),
                word(t.database)
            )
        };
        assert_eq!(ok("postgres://127.0.0.1:5432"), "127.0.0.1:5432 - - -");
        assert_eq!(ok("postgresql://db"), "db:5432 - - -");
        assert_eq!(ok("postgres://u:p%40ss@[::1]:99/d%20b"), "[::1]:99 u p@ss d b");
        assert_eq!(ok("postgres:///d"), "localhost:5432 - - d");
        assert_eq!(ok("postgres://a,b:1,[::1]/d"), "a:5432,b:1,[::1]:5432 - - d");
        let cases = [
            ("mysql://x", TargetError::Scheme),
            ("postgres://x:0", TargetError::Port),
            ("postgres://x:y", TargetError::Port),
            ("postgres://u%4@x", TargetError::Escape),
            ("postgres://x/y?z=1", TargetError::Parameters),
            ("postgres://x/y?sslmode=allow", TargetError::Parameters),
            ("postgres://x/y?sslnegotiation=any", TargetError::Parameters),
            (
                "postgres://x/y?target_session_attrs=prefer-standby",
                TargetError::Parameters,
            ),
        ];
        for (url, error) in cases {
            assert_eq!(url.parse::<Target>(), Err(error), "{url}");
        }
        let secured: Target = "postgres://x?sslmode=verify-full&sslrootcert=/a%20b".parse().unwrap();
        assert_eq!(secured.ssl_mode, Some(SslMode::VerifyFull));
        assert_eq!(secured.files.authorities, Some(PathBuf::from("/a b")));
    }
}
