//! The text that prompts are cut from, which the tokenizer was trained on.

use std::fs;
use std::path::Path;

use anyhow::Context;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// Prose and code; they have different numbers of bytes in a token, as users' prompts have.
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

// === impl Corpus ===

impl Corpus {
    /// What `model.py` has put into the model's folder.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self::of(read("prose.txt")?, read("code.txt")?))
    }

    pub fn of(prose: String, code: String) -> Self {
        Self { prose, code }
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
