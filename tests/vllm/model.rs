//! The folder of the model, made by `model.py` with the replicas' own Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::arguments::Size;

/// So many words make answers.
const WORDS: usize = 256;

/// A model that vLLM can serve.
pub struct Model {
    pub folder: PathBuf,
    pub name: &'static str,
    /// Tokens that are whole words: what answers are made of.
    pub words: Vec<u32>,
}

// === impl Model ===

impl Model {
    pub async fn make(python: &Path, size: Size, folder: PathBuf) -> anyhow::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vllm/model.py");
        let mut command = Command::new(python);
        command.arg(script).arg(&folder).arg(size.name());
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("{} cannot be run", python.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the model could not be made: {}", said.trim());
        let words = fs::read(folder.join("words.json")).context("the model has no words.json")?;
        let words: Vec<(u32, String)> = serde_json::from_slice(&words)?;
        ensure!(words.len() >= WORDS, "the tokenizer knows only {} whole words", words.len());
        Ok(Self { folder, name: size.name(), words: words.into_iter().take(WORDS).map(|(token, _)| token).collect() })
    }
}
