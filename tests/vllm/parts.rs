//! Looks for all that is needed, before anything is started.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use homing::cli::demo::envoy;

/// What is run.
pub struct Parts {
    /// The Python that has vLLM.
    pub python: PathBuf,
    pub homing: PathBuf,
    pub envoy: PathBuf,
}

// === impl Parts ===

impl Parts {
    /// Finds all, or says in one line what is missing and how to get it.
    pub fn look() -> anyhow::Result<Self> {
        let python = named("HOMING_VLLM", "run scripts/parts/vllm, or name a Python that has vLLM")?;
        // Not canonical: a link's own place is how Python finds its virtual environment.
        ensure!(python.is_absolute(), "HOMING_VLLM: {} is no whole path", python.display());
        let homing = named("HOMING_BIN", "use make test-vllm")?;
        let homing = fs::canonicalize(&homing).with_context(|| homing.display().to_string())?;
        Ok(Self { python, homing, envoy: envoy::find(None)? })
    }
}

/// The file that an environment variable names.
fn named(variable: &str, hint: &str) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(env::var_os(variable).with_context(|| format!("{variable} is not set: {hint}"))?);
    ensure!(path.is_file(), "{variable}: no {}: {hint}", path.display());
    Ok(path)
}
