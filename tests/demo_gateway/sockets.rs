//! The sockets by which the cluster is reached from outside.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// What Envoy of the Gateway hears.
pub const GATEWAY: &str = "gateway.sock";
/// Homing's admin port.
pub const HOMING: &str = "homing.sock";
/// The system takes no longer path of a socket than 107 bytes.
const LONGEST: usize = 100;
/// This folder is another one within.
const HIDDEN: &str = "/run";

/// Who holds this file's lock has the output folder to itself; where it is, a demo has been.
const LOCK: &str = "demo-gateway.lock";

/// A folder for both; dropping it removes them.
pub struct Sockets {
    pub folder: PathBuf,
    _short: Option<TempDir>,
    _lock: File,
}

// === impl Sockets ===

impl Sockets {
    /// In `output`, or in a folder of its own where the path of that is too long.
    ///
    /// # Errors
    /// Another demo runs there, somebody else's files are there, or a socket of an earlier run cannot be removed.
    pub fn new(output: &Path) -> anyhow::Result<Self> {
        ensure!(!output.starts_with(HIDDEN), "{HIDDEN} cannot be written from within: give another --output-dir");
        // A demo writes over what is there.
        let own = output.join(LOCK).exists() || fs::read_dir(output).is_ok_and(|mut files| files.next().is_none());
        ensure!(own, "{} has files that are not a demo's: give another --output-dir", output.display());
        let lock = File::create(output.join(LOCK)).with_context(|| format!("cannot write to {}", output.display()))?;
        let free = lock.try_lock().is_ok();
        ensure!(free, "a demo runs in {}: end it, or give another --output-dir", output.display());
        let short = (output.join(GATEWAY).as_os_str().len() > LONGEST).then(TempDir::new).transpose()?;
        let hidden = short.as_ref().is_some_and(|short| short.path().starts_with(HIDDEN));
        ensure!(
            !hidden,
            "the path of --output-dir is too long for a socket, and TMPDIR is in {HIDDEN}: give a shorter one"
        );
        let folder = short.as_ref().map_or(output, TempDir::path).to_owned();
        for name in [GATEWAY, HOMING] {
            let path = folder.join(name);
            remove(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(Self { folder, _short: short, _lock: lock })
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for name in [GATEWAY, HOMING] {
            let _nothing_more_can_be_done = remove(&self.folder.join(name));
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
