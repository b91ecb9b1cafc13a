//! A throwaway PostgreSQL for tests: its own data folder, a free port of the loopback address,
//! no password. Stopped and removed when dropped.

// Each test binary compiles this module for itself and uses what it needs of it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod proxy;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running cluster with the superuser `postgres`, in UTF8 and the locale C.UTF-8.
pub struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
}

/// What psql said.
#[derive(Debug)]
pub struct Psql {
    /// Its standard output, unaligned, tuples only, without the last line break.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code was 0.
    pub success: bool,
}

impl Cluster {
    /// Starts a cluster with the newest PostgreSQL that is installed, or with the server programs in
    /// the folder that PGPURPOSE_TEST_PG_BIN names: to test against another version.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a cluster with settings of its own, such as `log_statement=all`.
    pub fn start_with(settings: &[&str]) -> Self {
        let binaries = std::env::var_os("PGPURPOSE_TEST_PG_BIN").map_or_else(newest_binaries, PathBuf::from);
        let folder = new_folder();
        let data = folder.join("data");
        let initdb = server_command(&binaries.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .output()
            .expect("initdb runs");
        assert!(initdb.status.success(), "initdb failed: {}", text(&initdb.stderr));
        let mut cluster = Self {
            binaries,
            folder,
            port: 0,
        };
        // Somebody else may take the port between the look and the start: then look again.
        for _ in 0..5 {
            cluster.port = free_port();
            if cluster.try_start(settings) {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start: {}", cluster.log());
    }

    fn try_start(&self, settings: &[&str]) -> bool {
        let mut options = format!(
            "-p {} -k '{}' -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=50",
            self.port,
            self.folder.display()
        );
        for setting in settings {
            options.push_str(&format!(" -c '{setting}'"));
        }
        // No pipes: the server would inherit them, and whoever waits for their end waits for the server's.
        server_command(&self.binaries.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-l")
            .arg(self.folder.join("log"))
            .args(["-w", "-t", "60", "-o", &options, "start"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("pg_ctl runs")
            .success()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its own folder, removed with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A program of this PostgreSQL, such as `pg_dump`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Runs SQL as psql does, each statement for itself, and gives the rows: columns separated by
    /// `|`, no header. Panics on the first error.
    pub fn psql(&self, database: &str, user: &str, sql: &str) -> String {
        let said = self.try_psql(database, user, sql);
        let error: String = said.stderr.chars().take(2000).collect();
        assert!(said.success, "psql failed: {error}");
        said.stdout
    }

    /// As [`Cluster::psql`], errors returned.
    pub fn try_psql(&self, database: &str, user: &str, sql: &str) -> Psql {
        psql_at(self.port, database, user, sql)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = server_command(&self.binaries.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-m", "immediate", "-w", "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if stopped.is_ok() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// psql against any port of 127.0.0.1 (a proxy's, say), with the newest client installed.
pub fn psql_at(port: u16, database: &str, user: &str, sql: &str) -> Psql {
    let mut child = Command::new(newest_binaries().join("psql"))
        .args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-f",
            "-",
        ])
        .args(["-p", &port.to_string(), "-d", database, "-U", user])
        .env_remove("PGOPTIONS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql runs");
    let mut stdin = child.stdin.take().expect("psql has a standard input");
    let sql = sql.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(sql.as_bytes());
    });
    let Output { status, stdout, stderr } = child.wait_with_output().expect("psql ends");
    writer.join().expect("psql was written to");
    Psql {
        stdout: text(&stdout).trim_end_matches('\n').to_owned(),
        stderr: text(&stderr),
        success: status.success(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `/usr/lib/postgresql/N/bin` of the highest N that has a server.
fn newest_binaries() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let versions = installed.filter_map(|entry| {
        let folder = entry.ok()?.path();
        let version: u32 = folder.file_name()?.to_str()?.parse().ok()?;
        let binaries = folder.join("bin");
        binaries.join("initdb").exists().then_some((version, binaries))
    });
    versions.max().expect("PostgreSQL's server is installed").1
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A new folder under /tmp, owned by whoever runs the server. Short: a socket's path is.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(format!("/tmp/pgpurpose-test-{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a new folder");
    if is_root() {
        let owned = Command::new("chown").arg("postgres").arg(&folder).status();
        assert!(owned.expect("chown runs").success(), "chown failed");
    }
    folder
}

/// A command of the server, which refuses to run as root.
fn server_command(program: &Path) -> Command {
    let mut command;
    if is_root() {
        command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}
