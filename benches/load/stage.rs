//! The servers under test, each in a session of its own, so that the scheduler does not take them for one.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::Cluster;

/// Where a client can connect.
pub struct Target {
    pub name: &'static str,
    pub port: u16,
    /// Whose CPU counts; none: the server's own is not told apart from its backends'.
    pub pid: Option<u32>,
}

/// All of it; stopped when dropped.
pub struct Stage {
    pub targets: Vec<Target>,
    _cluster: Cluster,
    children: Vec<Child>,
    folder: PathBuf,
}

const RULES: &str = include_str!("rules.yaml");

impl Stage {
    /// Starts everything, with pgbench's tables at scale 10 (1,000,000 accounts).
    pub fn set() -> Self {
        let cluster = Cluster::start_with(&["max_connections=600", "shared_buffers=512MB"]);
        let port = cluster.port().to_string();
        let pgbench = [
            "-i",
            "-q",
            "-s",
            "10",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
            &port,
            "postgres",
        ];
        let made = Command::new("pgbench")
            .args(pgbench)
            .output()
            .expect("pgbench is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let folder = std::env::temp_dir().join(format!("pgpurpose-load-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut stage = Self {
            targets: vec![Target {
                name: "direct",
                port: cluster.port(),
                pid: None,
            }],
            _cluster: cluster,
            children: Vec::new(),
            folder,
        };
        stage.bouncer();
        stage.forwarder();
        stage.proxy("pgpurpose, disk", "disk");
        stage.proxy("pgpurpose, system", "system");
        stage
    }

    fn upstream(&self) -> u16 {
        self.targets[0].port
    }

    fn bouncer(&mut self) {
        let port = free_port();
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\npool_mode = session\nmax_client_conn = 1000\n\
             default_pool_size = 500\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits\n",
            self.upstream()
        );
        let file = self.file("pgbouncer.ini", &settings);
        let mut command = Command::new("setsid");
        command.args(["runuser", "-u", "postgres", "--", "pgbouncer"]).arg(file);
        self.start("pgbouncer", port, command);
    }

    fn forwarder(&mut self) {
        let port = free_port();
        let mut command = Command::new("setsid");
        command.arg(std::env::current_exe().unwrap()).args([
            "forward",
            &port.to_string(),
            &self.upstream().to_string(),
        ]);
        self.start("forwarder", port, command);
    }

    /// When an audit record counts as written: that is what the two differ in.
    fn proxy(&mut self, name: &'static str, durability: &str) {
        let port = free_port();
        let rules = self.file("rules.yaml", RULES);
        let secret = self.file("secret", &"0123456789abcdef".repeat(2));
        let mut command = Command::new("setsid");
        command
            .arg(env!("CARGO_BIN_EXE_pgpurpose"))
            .arg("serve")
            .args(["--upstream", &format!("postgres://127.0.0.1:{}", self.upstream())])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--rules")
            .arg(rules)
            .arg("--secret-file")
            .arg(secret)
            .arg("--audit")
            .arg(self.folder.join(format!("audit-{durability}.jsonl")))
            .args(["--audit-durability", durability]);
        self.start(name, port, command);
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn start(&mut self, name: &'static str, port: u16, mut command: Command) {
        let log = fs::File::create(self.folder.join(format!("{name}.log"))).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("setsid, runuser and the server are installed");
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "{name} does not listen");
            std::thread::yield_now();
        }
        let pid = Some(served_by(child.id(), name));
        self.children.push(child);
        self.targets.push(Target { name, port, pid });
    }
}

/// The process that serves: the child itself, or what it runs as another user.
fn served_by(child: u32, name: &str) -> u32 {
    let children = format!("/proc/{child}/task/{child}/children");
    let below = fs::read_to_string(children).unwrap_or_default();
    match below.split_whitespace().next() {
        Some(below) if name == "pgbouncer" => served_by(below.parse().unwrap(), name),
        _ => child,
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Drop for Stage {
    fn drop(&mut self) {
        for target in &self.targets {
            if let Some(pid) = target.pid {
                let _ = Command::new("kill").arg(pid.to_string()).status();
            }
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}
