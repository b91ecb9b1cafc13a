//! The proxy as a process of its own, on a free port of 127.0.0.1. Stopped and its folder removed when dropped.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One role, one purpose, no table classified.
pub const RULES: &str = "
version: 1
purposes: {care: {ddl: true}}
data_categories: {system: {sensitivity: none}}
roles: {app: {purposes: [care], default_purpose: care}, other: {purposes: [care], default_purpose: care}}
unclassified: {table: raw}
";

/// A proxy that runs.
pub struct Proxy {
    pub process: Child,
    pub port: u16,
    folder: PathBuf,
}

impl Proxy {
    /// In front of a URL, with more flags.
    pub fn start(name: &str, upstream: &str, flags: &[&str]) -> Self {
        Self::start_with(name, RULES, upstream, flags)
    }

    /// The folder of the proxy of that name.
    pub fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pgpurpose-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// With other rules.
    pub fn start_with(name: &str, rules: &str, upstream: &str, flags: &[&str]) -> Self {
        Self::start_in(&[], name, rules, upstream, flags)
    }

    /// With environment variables.
    pub fn start_in(environment: &[(&str, &str)], name: &str, rules: &str, upstream: &str, flags: &[&str]) -> Self {
        let folder = Self::folder(name);
        std::fs::write(folder.join("rules.yaml"), rules).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
            .args(["serve", "--upstream", upstream])
            .args(
                ["--listen", "127.0.0.1:0"]
                    .iter()
                    .filter(|_| !flags.contains(&"--listen")),
            )
            .arg("--rules")
            .arg(folder.join("rules.yaml"))
            .arg("--audit")
            .arg(folder.join("audit.jsonl"))
            .args(flags)
            // So that its open files can be counted, whoever runs the tests.
            .env("PGPURPOSE_ALLOW_CORE_DUMPS", "true")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listening on ")?;
            address.trim().rsplit_once(':').unwrap().1.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop)); // what else it prints must find a reader
        Self {
            process,
            port: port.expect("it listens"),
            folder,
        }
    }

    /// A file of its own: `rules.yaml`, `audit.jsonl`.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The most memory it has had, in KiB.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that it has, in KiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id()))
            .unwrap()
            .count()
    }

    fn status(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix(key)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What psql says of one statement, and whether it was content, by a connection string.
pub fn psql(connection: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args(["-X", "-A", "-t", "-c", sql, connection])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("PGCONNECT_TIMEOUT", "20")
        .stdin(Stdio::null())
        .output()
        .expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Certificates of an authority of its own, in a folder that PostgreSQL may read.
pub struct Certificates {
    pub folder: PathBuf,
    authority: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Certificates {
    /// A new authority; its certificate is `NAME-ca.pem`.
    pub fn new(folder: &Path, name: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(parameters, rcgen::KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}-ca.pem")), authority.pem()).unwrap();
        Self {
            folder: folder.to_owned(),
            authority,
        }
    }

    /// A certificate of a common name, for 127.0.0.1 and localhost: `NAME.pem` and `NAME.key`.
    pub fn issue(&self, name: &str) {
        self.issue_for(name, &["localhost", "127.0.0.1"]);
    }

    /// The same, for these hosts.
    pub fn issue_for(&self, name: &str, hosts: &[&str]) {
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        let path = self.folder.join(format!("{name}.key"));
        std::fs::write(&path, key.serialize_pem()).unwrap();
        private(&path);
    }

    /// The path of a file in the folder.
    pub fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().unwrap().to_owned()
    }
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
