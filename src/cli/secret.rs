//! Secrets out of files.

use std::path::Path;

use zeroize::Zeroizing;

/// What a file holds, blanks around it taken off.
///
/// # Errors
/// The file cannot be read, or holds too little to be a secret.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let read = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let secret = Zeroizing::new(Zeroizing::new(read).trim_ascii().to_vec());
    if secret.len() < 16 {
        return Err(format!("{} holds fewer than 16 bytes", path.display()));
    }
    Ok(secret)
}
