//! Workloads, and how one run of one is measured.

use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::client::Raw;
use crate::stage::Target;

/// What is done to a target.
#[derive(Debug)]
pub struct Workload {
    pub name: &'static str,
    /// In words, for the report.
    pub title: &'static str,
    /// What a value is, and whether less of it is better.
    pub unit: &'static str,
    pub less_is_better: bool,
    /// CPU is counted per so many of these.
    pub cpu_per: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Median time of a transaction with one client, everything on one processor.
    Latency(Protocol, Option<&'static str>),
    /// Transactions a second with so many clients.
    Throughput(u32, Protocol, Option<&'static str>),
    /// A connection for each transaction.
    Churn,
    /// One statement with a million rows.
    Bulk(&'static str),
    /// Memory of an idle connection.
    Idle,
}

#[derive(Debug, Clone, Copy)]
enum Protocol {
    Simple,
    Extended,
    Prepared,
}

impl Workload {
    /// How often it is worth running.
    pub fn rounds(&self, asked: usize) -> usize {
        match self.kind {
            Kind::Idle => 1,
            Kind::Latency(..) | Kind::Throughput(..) | Kind::Churn | Kind::Bulk(_) => asked,
        }
    }
}

/// A value, and the CPU that the target took for it, in microseconds per transaction or run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub value: f64,
    pub cpu: f64,
}

const FIXED: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;\n";
const NEW_TEXT: &str = "\\set a random(1, 1000000)\n\\set b random(1, 1000000000)\n\
                        SELECT abalance AS n:b FROM pgbench_accounts WHERE aid = :a;\n";
const MASKED: &str = "SELECT aid, bid, abalance, filler FROM pgbench_accounts";
const RAW: &str = "SELECT aid, bid, abalance FROM pgbench_accounts";
const COPY: &str = "COPY (SELECT aid, bid, abalance FROM pgbench_accounts) TO STDOUT";

const fn latency(
    name: &'static str,
    title: &'static str,
    protocol: Protocol,
    script: Option<&'static str>,
) -> Workload {
    Workload {
        name,
        title,
        unit: "µs",
        less_is_better: true,
        cpu_per: "query",
        kind: Kind::Latency(protocol, script),
    }
}

const fn throughput(name: &'static str, title: &'static str, clients: u32, protocol: Protocol) -> Workload {
    Workload {
        name,
        title,
        unit: "tps",
        less_is_better: false,
        cpu_per: "query",
        kind: Kind::Throughput(clients, protocol, None),
    }
}

const fn fixed(name: &'static str, title: &'static str, script: &'static str) -> Workload {
    Workload {
        name,
        title,
        unit: "tps",
        less_is_better: false,
        cpu_per: "query",
        kind: Kind::Throughput(16, Protocol::Simple, Some(script)),
    }
}

const fn bulk(name: &'static str, title: &'static str, sql: &'static str) -> Workload {
    Workload {
        name,
        title,
        unit: "ms",
        less_is_better: true,
        cpu_per: "run",
        kind: Kind::Bulk(sql),
    }
}

/// All of them.
pub static WORKLOADS: [Workload; 16] = [
    latency(
        "lat:fixed",
        "one client, one text, simple (p50)",
        Protocol::Simple,
        Some(FIXED),
    ),
    latency(
        "lat:simple",
        "one client, a new literal each time, simple (p50)",
        Protocol::Simple,
        None,
    ),
    latency("lat:extended", "one client, extended (p50)", Protocol::Extended, None),
    latency("lat:prepared", "one client, prepared (p50)", Protocol::Prepared, None),
    latency(
        "lat:text",
        "one client, a new text each time, simple (p50)",
        Protocol::Simple,
        Some(NEW_TEXT),
    ),
    fixed("thr:fixed", "16 clients, one text, simple", FIXED),
    throughput(
        "thr:simple",
        "16 clients, a new literal each time, simple",
        16,
        Protocol::Simple,
    ),
    throughput("thr:extended", "16 clients, extended", 16, Protocol::Extended),
    throughput("thr:prepared", "16 clients, prepared", 16, Protocol::Prepared),
    fixed("thr:text", "16 clients, a new text each time, simple", NEW_TEXT),
    throughput("many", "200 clients, prepared", 200, Protocol::Prepared),
    bulk("bulk:raw", "1,000,000 rows, nothing masked", RAW),
    bulk(
        "bulk:masked",
        "1,000,000 rows, one column masked in SQL (direct: as it is stored)",
        MASKED,
    ),
    bulk("bulk:copy", "1,000,000 rows by COPY", COPY),
    Workload {
        name: "connect",
        title: "a connection for each query",
        unit: "µs",
        less_is_better: true,
        cpu_per: "connection",
        kind: Kind::Churn,
    },
    // Last, and once: a process does not give back what it had.
    Workload {
        name: "idle",
        title: "memory of an idle connection",
        unit: "KiB",
        less_is_better: true,
        cpu_per: "connection",
        kind: Kind::Idle,
    },
];

const SECONDS: &str = "3";
const TRANSACTIONS: &str = "4000";
const IDLE_CONNECTIONS: usize = 100;

/// Runs a workload once.
pub fn run(workload: &Workload, target: &Target) -> Sample {
    let before = cpu(target);
    let (value, units) = match &workload.kind {
        Kind::Latency(protocol, script) => {
            let _pinned = Pinned::new(target);
            median_latency(target, *protocol, *script)
        }
        Kind::Throughput(clients, protocol, script) => {
            let clients = clients.to_string();
            let said = pgbench(target, *protocol, *script, &["-c", &clients, "-j2", "-T", SECONDS]);
            (after(&said, "tps = "), after(&said, "processed: "))
        }
        Kind::Churn => {
            let said = pgbench(target, Protocol::Simple, None, &["-C", "-c1", "-T", SECONDS]);
            (1e6 / after(&said, "tps = "), after(&said, "processed: "))
        }
        Kind::Bulk(sql) => {
            let mut client = Raw::connect(target.port);
            let started = Instant::now();
            client.query(sql);
            (started.elapsed().as_secs_f64() * 1e3, 1.0)
        }
        Kind::Idle => (idle(target), IDLE_CONNECTIONS as f64),
    };
    Sample {
        value,
        cpu: (cpu(target) - before) / units,
    }
}

fn pgbench(target: &Target, protocol: Protocol, script: Option<&str>, args: &[&str]) -> String {
    let port = target.port.to_string();
    let mut command = Command::new("pgbench");
    command.args(["-n", "-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-M"]);
    command.arg(match protocol {
        Protocol::Simple => "simple",
        Protocol::Extended => "extended",
        Protocol::Prepared => "prepared",
    });
    let file = std::env::temp_dir().join(format!("pgpurpose-load-{}.sql", std::process::id()));
    match script {
        Some(script) => {
            fs::write(&file, script).unwrap();
            command.arg("-f").arg(&file);
        }
        None => drop(command.arg("-S")),
    }
    let output = command
        .args(args)
        .arg("postgres")
        .output()
        .expect("pgbench is installed");
    let _ = fs::remove_file(file);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pgbench at {}: {error}", target.name);
    String::from_utf8(output.stdout).unwrap()
}

/// The number behind a word of pgbench's.
fn after(said: &str, word: &str) -> f64 {
    let at = said
        .rfind(word)
        .map(|at| &said[at + word.len()..])
        .expect("pgbench says it");
    let number: String = at.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    number.parse().unwrap()
}

/// The median holds on a busy machine where the mean does not.
fn median_latency(target: &Target, protocol: Protocol, script: Option<&str>) -> (f64, f64) {
    let folder = std::env::temp_dir().join(format!("pgpurpose-load-log-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let prefix = folder.join("log");
    let prefix = format!("--log-prefix={}", prefix.display());
    pgbench(target, protocol, script, &["-c1", "-t", TRANSACTIONS, "-l", &prefix]);
    let mut times = Vec::new();
    for file in fs::read_dir(&folder).unwrap() {
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            times.push(line.split(' ').nth(2).unwrap().parse::<f64>().unwrap());
        }
    }
    fs::remove_dir_all(folder).unwrap();
    (median(&times), times.len() as f64)
}

fn idle(target: &Target) -> f64 {
    let Some(pid) = target.pid else { return 0.0 };
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
    };
    let before = resident();
    let clients: Vec<Raw> = (0..IDLE_CONNECTIONS)
        .map(|_| {
            let mut client = Raw::connect(target.port);
            client.query("SELECT 1");
            client
        })
        .collect();
    let used = (resident() - before) / clients.len() as f64;
    used.max(0.0)
}

/// CPU of all threads of a target so far, in microseconds, exact to the nanosecond.
fn cpu(target: &Target) -> f64 {
    let Some(pid) = target.pid else { return 0.0 };
    let mut total = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        let spent = stat.split(' ').next().and_then(|n| n.parse::<f64>().ok());
        total += spent.unwrap_or_default();
    }
    total / 1e3
}

/// Keeps a target, and with us what we start, on one processor.
struct Pinned {
    pids: Vec<u32>,
    /// All processors, as they were before.
    before: String,
}

impl Pinned {
    fn new(target: &Target) -> Self {
        let last = std::thread::available_parallelism().map_or(1, usize::from) - 1;
        let pids: Vec<u32> = target.pid.into_iter().chain([std::process::id()]).collect();
        pids.iter().for_each(|pid| on(*pid, "0"));
        let before = format!("0-{last}");
        Self { pids, before }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.pids.iter().for_each(|pid| on(*pid, &self.before));
    }
}

fn on(pid: u32, processors: &str) {
    let _ = Command::new("taskset")
        .args(["-a", "-c", "-p", processors, &pid.to_string()])
        .output();
}

/// The middle of some numbers.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
