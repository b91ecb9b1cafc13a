//! The settings of the audit journal: how it is written, signed, and told to others.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::checkpoint::Signer;
use crate::audit::sink::Target;
use crate::audit::{Durability, Journal, JournalConfig};

/// Arguments that `serve` has for the audit.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    /// The audit log
    #[arg(long, env = "PGPURPOSE_AUDIT", value_name = "FILE")]
    audit: PathBuf,
    /// When a record counts as written, so that rows may leave: disk, it survives a loss of power; system,
    /// the operating system has it, and it survives the proxy's end
    #[arg(long, env = "PGPURPOSE_AUDIT_DURABILITY", value_enum, default_value_t = Written::Disk)]
    audit_durability: Written,
    /// A longer audit file is followed by another; with k, m or g for KiB, MiB, GiB
    #[arg(long, env = "PGPURPOSE_AUDIT_ROTATE_SIZE", value_name = "BYTES", default_value = "256m", value_parser = size)]
    audit_rotate_size: u64,
    /// An older audit file is followed by another; with s, m, h or d; 0: never
    #[arg(long, env = "PGPURPOSE_AUDIT_ROTATE_AFTER", value_name = "TIME", default_value = "24h", value_parser = time)]
    audit_rotate_after: Duration,
    /// How audit files are compressed once another has followed
    #[arg(long, env = "PGPURPOSE_AUDIT_COMPRESSION", value_enum, default_value_t = Compression::Gzip)]
    audit_compression: Compression,
    /// The private key that signs checkpoints, as `pgpurpose audit key` makes it; without, none are made
    #[arg(long, env = "PGPURPOSE_AUDIT_KEY", value_name = "FILE")]
    audit_key: Option<PathBuf>,
    /// A checkpoint follows so many records
    #[arg(long, env = "PGPURPOSE_AUDIT_CHECKPOINT_RECORDS", value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(1..))]
    audit_checkpoint_records: u64,
    /// A checkpoint follows at the latest so long after a record; with s, m, h or d
    #[arg(long, env = "PGPURPOSE_AUDIT_CHECKPOINT_AFTER", value_name = "TIME", default_value = "60s", value_parser = time)]
    audit_checkpoint_after: Duration,
    /// Where else checkpoints go, separated by commas: file:PATH, exec:PROGRAM (gets each on its standard
    /// input), syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT, syslog+unix:PATH
    #[arg(
        long,
        env = "PGPURPOSE_AUDIT_CHECKPOINT_TO",
        value_name = "TARGET",
        value_delimiter = ','
    )]
    audit_checkpoint_to: Vec<Target>,
    /// Where else all records go, separated by commas: stdout, file:PATH, syslog+udp://HOST:PORT,
    /// syslog+tcp://HOST:PORT, syslog+unix:PATH, otlp+http://HOST:PORT (logs and traces); with ocsf: before
    /// it as OCSF events. None of them holds up a statement; what one cannot be given is counted
    #[arg(long, env = "PGPURPOSE_AUDIT_TO", value_name = "TARGET", value_delimiter = ',')]
    audit_to: Vec<Target>,
    /// Writing a record may take so long before statements are refused; with s, m, h or d
    #[arg(long, env = "PGPURPOSE_AUDIT_PATIENCE", value_name = "TIME", default_value = "10s", value_parser = time)]
    audit_patience: Duration,
}

/// `--audit-durability`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Written {
    Disk,
    System,
}

/// `--audit-compression`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Compression {
    Gzip,
    None,
}

impl AuditArgs {
    /// The file that is being written.
    pub(super) fn path(&self) -> &Path {
        &self.audit
    }

    /// Opens the journal and whatever follows it.
    ///
    /// # Errors
    /// What to tell.
    pub(super) fn open(&self) -> Result<Journal, String> {
        let signer = self.audit_key.as_deref().map(read_key).transpose()?;
        if signer.is_none() && !self.audit_checkpoint_to.is_empty() {
            return Err("--audit-checkpoint-to needs --audit-key: nothing else signs checkpoints".into());
        }
        let config = JournalConfig {
            durability: match self.audit_durability {
                Written::Disk => Durability::Disk,
                Written::System => Durability::System,
            },
            rotate_bytes: self.audit_rotate_size.max(1),
            rotate_after: Some(self.audit_rotate_after).filter(|after| !after.is_zero()),
            compress: self.audit_compression == Compression::Gzip,
            signer,
            checkpoint_records: self.audit_checkpoint_records,
            checkpoint_after: self.audit_checkpoint_after,
            patience: self.audit_patience.max(Duration::from_millis(100)),
            ..JournalConfig::new(&self.audit)
        };
        let journal =
            Journal::open(config).map_err(|error| format!("cannot write {}: {error}", self.audit.display()))?;
        let all = self.audit_to.iter().map(|target| (target, false));
        let checkpoints = self.audit_checkpoint_to.iter().map(|target| (target, true));
        for (target, only_checkpoints) in all.chain(checkpoints) {
            journal
                .pour(target, only_checkpoints)
                .map_err(|error| format!("cannot open {target}: {error}"))?;
        }
        Ok(journal)
    }
}

/// Reads a private key that nobody else can read.
///
/// # Errors
/// What to tell.
pub(super) fn read_key(path: &Path) -> Result<Signer, String> {
    let told = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mode = std::fs::metadata(path).map_err(told)?.mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{} can be read by others (mode {:03o}); make it 0600",
            path.display(),
            mode & 0o777
        ));
    }
    let pem = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(told)?);
    Signer::from_pem(&pem).ok_or_else(|| format!("{} is no private Ed25519 key (PKCS#8, PEM)", path.display()))
}

/// `256m`
fn size(text: &str) -> Result<u64, String> {
    with_unit(text, &[("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)])
        .ok_or_else(|| "a number is expected, with k, m or g behind it for KiB, MiB or GiB".into())
}

/// `24h`
fn time(text: &str) -> Result<Duration, String> {
    with_unit(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)])
        .map(Duration::from_secs)
        .ok_or_else(|| "a number is expected, with s, m, h or d behind it".into())
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let found = units
        .iter()
        .find_map(|(unit, times)| Some((text.strip_suffix(unit)?, *times)));
    let (digits, times) = found.unwrap_or((&text, 1));
    digits.trim_end().parse::<u64>().ok()?.checked_mul(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        assert_eq!(size("256m"), Ok(256 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("1G"), Ok(1 << 30));
        assert_eq!(time("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(time("90"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            "m",
            "-1",
            "1.5g",
            "99999999999999999999",
            "18446744073709551615g",
            "1x",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
