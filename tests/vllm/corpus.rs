//! The text that prompts are cut from: this repository's own pages and code, as the tokenizer knows them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// Prose and code; they have different numbers of bytes in a token, as a user's prompts do.
pub struct Corpus {
    prose: String,
    code: String,
}

/// What a piece of text is cut from.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Prose,
    Code,
}

/// The files of the corpus: the pages of `docs/`, and the code of `src/`.
pub fn files() -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok((found(&root.join("docs"), "md")?, found(&root.join("src"), "rs")?))
}

fn found(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(found(&path, extension)?);
        } else if path.extension().is_some_and(|it| it == extension) {
            files.push(path);
        }
    }
    // The file system's order is nobody's.
    files.sort();
    Ok(files)
}

// === impl Corpus ===

impl Corpus {
    pub fn read() -> anyhow::Result<Self> {
        let (prose, code) = files()?;
        let text = |files: Vec<PathBuf>| -> anyhow::Result<String> {
            files.iter().map(|file| fs::read_to_string(file).with_context(|| file.display().to_string())).collect()
        };
        Ok(Self { prose: text(prose)?, code: text(code)? })
    }

    /// About `bytes` bytes from anywhere.
    pub fn cut(&self, kind: Kind, bytes: usize, random: &mut Pcg64Mcg) -> &str {
        let text = match kind {
            Kind::Prose => &self.prose,
            Kind::Code => &self.code,
        };
        let start = text.floor_char_boundary(random.random_range(0..text.len().saturating_sub(bytes).max(1)));
        let end = text.floor_char_boundary((start + bytes).min(text.len()));
        text[start..end].trim()
    }
}
