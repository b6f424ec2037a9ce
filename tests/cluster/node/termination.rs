//! What a container says at its end, as a kubelet takes it: the end of a file, or of its log.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Bytes of the file that are kept.
const KEPT: usize = 4096;
/// Bytes and lines of the log.
const KEPT_OF_LOG: (usize, usize) = (2048, 80);

/// Makes the file anew for the next container, whoever that is.
pub fn empty(path: &Path) -> io::Result<()> {
    fs::write(path, "")?;
    fs::set_permissions(path, Permissions::from_mode(0o666))
}

/// The message of a container that has ended so. `policy` is that of its spec.
pub fn message(path: &Path, policy: Option<&str>, code: i32, log: &Path) -> String {
    let said = end(path, KEPT);
    if !said.is_empty() || code == 0 || policy != Some("FallbackToLogsOnError") {
        return said;
    }
    let log = end(log, KEPT_OF_LOG.0);
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    lines[lines.len().saturating_sub(KEPT_OF_LOG.1)..].concat()
}

/// The last `most` bytes of a file.
fn end(path: &Path, most: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(most)..]).into_owned()
}
