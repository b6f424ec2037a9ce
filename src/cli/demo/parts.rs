//! Programs of others: where a flag or the environment says, else where `make parts` put them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A program that the demo needs.
#[derive(Debug)]
pub struct Program {
    /// What people call it.
    pub name: &'static str,
    /// The release that everything here is tested with.
    pub version: &'static str,
    /// The flag that names another.
    pub flag: &'static str,
    /// The variable that does.
    pub variable: &'static str,
    /// Where it is among the parts; a folder `*` may have any name.
    pub file: &'static str,
}

// === impl Program ===

impl Program {
    /// Finds it: what the flag says, else the environment, else what `make parts` fetched.
    ///
    /// # Errors
    /// There is none; one line says what to do.
    pub fn find(&self, flag: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        let Self { name, version, .. } = self;
        if let Some(path) = flag.or_else(|| folder(self.variable)) {
            anyhow::ensure!(path.is_file(), "no {name} at {}: run `make parts`, which fetches it", path.display());
            return Ok(path);
        }
        cache().and_then(|parts| find(&parts, self.file)).with_context(|| {
            let flag = self.flag;
            format!("{name} {version} is missing: run `make parts`, which fetches it, or name a binary with {flag}")
        })
    }
}

/// Where `scripts/parts/` puts what it fetches.
fn cache() -> Option<PathBuf> {
    folder("HOMING_PARTS")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("homing")))
        .or_else(|| Some(folder("HOME")?.join(".cache/homing")))
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// The first file in `folder` whose path is `pattern`.
fn find(folder: &Path, pattern: &str) -> Option<PathBuf> {
    let Some((before, after)) = pattern.split_once("/*/") else {
        return Some(folder.join(pattern)).filter(|file| file.is_file());
    };
    let mut folders = fs::read_dir(folder.join(before)).ok()?.flatten();
    folders.find_map(|folder| find(&folder.path(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_whatever_the_folders_on_the_way_are_called() {
        let parts = tempfile::tempdir().expect("a folder for temporary files");
        let file = parts.path().join("part-1/lib/python3.11/bin/x86/server");
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("the folder takes folders");
        fs::create_dir_all(parts.path().join("part-1/lib/another")).expect("the folder takes folders");
        fs::write(&file, "").expect("the folder takes files");
        assert_eq!(find(parts.path(), "part-1/lib/*/bin/*/server"), Some(file));
        for other in ["part-2/lib/*/bin/*/server", "part-1/lib/*/bin/*/client", "part-1/lib/python3.11"] {
            assert_eq!(find(parts.path(), other), None);
        }
    }

    #[test]
    fn a_missing_program_is_told_with_the_way_to_get_it() {
        let program =
            Program { name: "Envoy", version: "1", flag: "--envoy", variable: "HOMING_NONE", file: "none/at" };
        for (flag, says) in [(Some("/nowhere/envoy".into()), "no Envoy at /nowhere/envoy"), (None, "--envoy")] {
            let said = program.find(flag).expect_err("there is none").to_string();
            assert!(said.contains("make parts") && said.contains(says), "{said}");
        }
    }
}
