//! Files of a volume as a kubelet lays them out: a folder that is replaced in one step by a link called `..data`.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::spec::User;

/// The link to the folder that counts.
const CURRENT: &str = "..data";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub bytes: Vec<u8>,
    pub mode: u32,
    /// Whether only the container's own user may read it.
    pub private: bool,
}

/// By path below the volume.
pub type Files = BTreeMap<String, File>;

/// Makes `files` what is in `folder`; readers see the old ones or the new ones, never both.
pub fn publish(folder: &Path, files: &Files, user: User) -> io::Result<()> {
    let current = fs::read_link(folder.join(CURRENT)).ok();
    let version = folder.join(next(current.as_deref()));
    for (path, file) in files {
        let path = version.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder"))?;
        fs::write(&path, &file.bytes)?;
        let mode = match user.files {
            Some(_) => file.mode | 0o440,
            None if file.private => 0o600,
            None => file.mode,
        };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        own(&path, file.private.then_some(user.user), user.files)?;
    }
    fs::create_dir_all(&version)?;
    let beside = folder.join("..data_tmp");
    symlink(version.file_name().expect("a version has a name"), &beside)?;
    fs::rename(beside, folder.join(CURRENT))?;
    let tops: Vec<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    for top in &tops {
        if fs::symlink_metadata(folder.join(top)).is_err() {
            symlink(Path::new(CURRENT).join(top), folder.join(top))?;
        }
    }
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with("..") && !tops.iter().any(|top| name == **top) {
            fs::remove_file(entry.path())?;
        }
    }
    current.map_or(Ok(()), |old| fs::remove_dir_all(folder.join(old)))
}

/// Gives `path` away, where we may.
pub fn own(path: &Path, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    // Without root there is nobody to give it to, and the container is who we are.
    if super::root::may_change_users() { chown(path, user, group) } else { Ok(()) }
}

fn next(current: Option<&Path>) -> PathBuf {
    let number: u64 = current.and_then(|path| path.to_str()?.trim_start_matches('.').parse().ok()).unwrap_or(0);
    PathBuf::from(format!("..{}", number + 1))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn files_are_replaced_in_one_step_and_what_is_left_out_is_gone() {
        let folder = TempDir::new().expect("a folder");
        let user = User { user: 0, group: 0, files: None };
        let files = |names: &[(&str, &str)]| {
            let file = |text: &str| File { bytes: text.into(), mode: 0o644, private: false };
            names.iter().map(|(name, text)| ((*name).to_owned(), file(text))).collect::<Files>()
        };
        publish(folder.path(), &files(&[("a", "1"), ("b/c", "2")]), user).expect("published");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
        assert_eq!((read("a"), read("b/c")), (Some("1".to_owned()), Some("2".to_owned())));
        publish(folder.path(), &files(&[("a", "3")]), user).expect("published");
        assert_eq!((read("a"), read("b/c")), (Some("3".to_owned()), None));
        assert_eq!(fs::read_link(folder.path().join("a")).ok(), Some("..data/a".into()));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3, "the link, its folder and the file");
    }
}
