//! A throwaway PostgreSQL for one test binary, on a Unix socket.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// Stopped and removed when dropped.
pub struct Cluster {
    folder: PathBuf,
    options: String,
}

impl Cluster {
    /// Starts one whose sessions get these settings in their start-up packet.
    pub fn start(name: &str, settings: &[(String, String)]) -> Self {
        let folder = std::env::temp_dir().join(format!("pgpurpose-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        if is_root() {
            ok(Command::new("chown").arg("postgres").arg(&folder));
        }
        let data = folder.join("data");
        ok(server_command("initdb")
            .args(["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
            .arg(&data));
        let flags = format!("-c fsync=off -c listen_addresses='' -k {}", folder.display());
        ok(server_command("pg_ctl")
            .args(["start", "-w", "-o", &flags, "-l"])
            .arg(folder.join("log"))
            .arg("-D")
            .arg(&data));
        let options = settings
            .iter()
            .map(|(k, v)| format!("-c {k}={v}"))
            .collect::<Vec<_>>()
            .join(" ");
        Self { folder, options }
    }

    /// Runs a script; its output, unaligned and without headings, or the error's text.
    pub fn psql(&self, script: &str) -> Result<String, String> {
        let file = self
            .folder
            .join(format!("script-{:?}.sql", std::thread::current().id()));
        fs::write(&file, script).unwrap();
        let output = Command::new("psql")
            .args([
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-h",
            ])
            .arg(&self.folder)
            .arg("-f")
            .arg(&file)
            .env("PGOPTIONS", &self.options)
            .output()
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout)
                .trim_end_matches('\n')
                .to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = server_command("pg_ctl")
            .args(["stop", "-m", "immediate", "-D"])
            .arg(self.folder.join("data"))
            .output();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

/// PostgreSQL's servers do not run as root.
fn server_command(program: &str) -> Command {
    let path = Path::new(BIN).join(program);
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    }
}

fn ok(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}
