use std::fs;
use std::os::unix::fs::symlink;

use tempfile::tempdir;
use tokio::time::timeout;

use super::*;

/// Long enough that only events can make a test pass.
const NEVER: Duration = Duration::from_secs(3600);

async fn next(watch: &mut FileWatch) -> io::Result<String> {
    timeout(Duration::from_secs(10), watch.changed()).await.expect("a change within ten seconds")
}

#[tokio::test]
async fn a_file_written_in_place_is_seen() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("config.yaml");
    fs::write(&path, "one").expect("written");
    let mut watch = FileWatch::looking_every(NEVER, path.clone());
    assert_eq!(next(&mut watch).await.expect("readable"), "one");
    fs::write(&path, "two").expect("written");
    assert_eq!(next(&mut watch).await.expect("readable"), "two");
}

#[tokio::test]
async fn a_rename_over_the_file_is_seen() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("config.yaml");
    fs::write(&path, "one").expect("written");
    let mut watch = FileWatch::looking_every(NEVER, path.clone());
    assert_eq!(next(&mut watch).await.expect("readable"), "one");
    let other = directory.path().join(".config.yaml.swp");
    fs::write(&other, "two").expect("written");
    fs::rename(&other, &path).expect("renamed");
    assert_eq!(next(&mut watch).await.expect("readable"), "two");
}

#[tokio::test]
async fn the_symlink_swap_of_a_config_map_is_seen() {
    let directory = tempdir().expect("a directory");
    let root = directory.path();
    for (version, content) in [("..1", "one"), ("..2", "two")] {
        fs::create_dir(root.join(version)).expect("created");
        fs::write(root.join(version).join("config.yaml"), content).expect("written");
    }
    symlink("..1", root.join("..data")).expect("linked");
    symlink("..data/config.yaml", root.join("config.yaml")).expect("linked");
    let mut watch = FileWatch::looking_every(NEVER, root.join("config.yaml"));
    assert_eq!(next(&mut watch).await.expect("readable"), "one");
    symlink("..2", root.join("..data_tmp")).expect("linked");
    fs::rename(root.join("..data_tmp"), root.join("..data")).expect("swapped");
    assert_eq!(next(&mut watch).await.expect("readable"), "two");
}

#[tokio::test]
async fn a_file_that_comes_goes_and_comes_back_is_seen_each_time() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("config.yaml");
    let mut watch = FileWatch::looking_every(NEVER, path.clone());
    assert_eq!(next(&mut watch).await.expect_err("not there").kind(), io::ErrorKind::NotFound);
    fs::write(&path, "one").expect("written");
    assert_eq!(next(&mut watch).await.expect("readable"), "one");
    fs::remove_file(&path).expect("removed");
    assert_eq!(next(&mut watch).await.expect_err("gone").kind(), io::ErrorKind::NotFound);
    fs::write(&path, "one").expect("written");
    assert_eq!(next(&mut watch).await.expect("readable"), "one");
}

#[tokio::test]
async fn a_directory_that_comes_later_is_found_by_looking() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("later/config.yaml");
    let mut watch = FileWatch::looking_every(Duration::from_millis(20), path.clone());
    assert!(next(&mut watch).await.is_err());
    fs::create_dir(directory.path().join("later")).expect("created");
    fs::write(&path, "one").expect("written");
    assert_eq!(next(&mut watch).await.expect("readable"), "one");
}

#[test]
fn reading_the_file_and_changing_another_are_no_changes() {
    let event = |kind, path: &str| Event { paths: vec![path.into()], ..Event::new(kind) };
    let name = Some(OsStr::new("config.yaml"));
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    assert!(concerns(&event(written, "/etc/config.yaml"), name));
    assert!(concerns(&event(EventKind::Any, "/etc/..data"), name));
    assert!(!concerns(&event(written, "/etc/other.yaml"), name));
    assert!(!concerns(&event(EventKind::Access(AccessKind::Read), "/etc/config.yaml"), name));
    assert!(!concerns(&event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/etc/config.yaml"), name));
}
