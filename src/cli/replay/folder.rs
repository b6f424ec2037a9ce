//! The folder of the page: tried before minutes of replays, written after them.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A folder that can be written.
pub struct Folder {
    page: PathBuf,
}

impl Folder {
    /// Makes it, and sees that a page can be written there.
    ///
    /// # Errors
    /// It cannot.
    pub fn make(folder: &Path) -> anyhow::Result<Self> {
        let page = folder.join("index.html");
        let probe = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            let was_there = page.exists();
            OpenOptions::new().append(true).create(true).open(&page)?;
            if was_there { Ok(()) } else { fs::remove_file(&page) }
        };
        probe().with_context(|| format!("--report: {}", page.display()))?;
        Ok(Self { page })
    }

    /// Writes the page, and says where it is.
    ///
    /// # Errors
    /// It cannot be written any more.
    pub fn write(&self, html: &str) -> anyhow::Result<()> {
        fs::write(&self.page, html).with_context(|| format!("--report: {}", self.page.display()))?;
        eprintln!("{}", self.page.display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_nothing_left_in_it_before_the_page() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::make(&home.path().join("a/b")).expect("made");
        assert_eq!(fs::read_dir(home.path().join("a/b")).expect("a folder").count(), 0);
        folder.write("<html>").expect("written");
        Folder::make(&home.path().join("a/b")).expect("again");
        assert_eq!(fs::read_to_string(home.path().join("a/b/index.html")).expect("a page"), "<html>");
    }

    #[test]
    fn a_folder_that_cannot_be_is_told_at_once() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("file");
        fs::write(&file, "").expect("written");
        assert!(Folder::make(&file).is_err());
        fs::create_dir_all(home.path().join("page/index.html")).expect("a folder");
        assert!(Folder::make(&home.path().join("page")).is_err());
    }
}
