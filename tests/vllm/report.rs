//! All that a run has shown; written as `report.json` and `report.txt`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::arguments::Questions;
use crate::arm;
use crate::claims::Claim;
use crate::counters::Cache;
use crate::load::Burst;
use crate::prediction::{Predicted, Summary};

/// The report.
#[derive(Debug, Serialize)]
pub struct Report {
    pub setup: Setup,
    /// Round robin, then Homing.
    pub policies: [arm::Summary; 2],
    /// All requests that count, then groups of them.
    pub predictions: Vec<Summary>,
    pub caches: Vec<CacheRead>,
    pub burst: Burst,
    pub claims: Vec<Claim>,
    /// Every request of Homing's run.
    pub requests: Vec<Predicted>,
}

/// What ran.
#[derive(Debug, Serialize)]
pub struct Setup {
    pub vllm: String,
    pub model: &'static str,
    pub questions: Questions,
    pub seed: u64,
    pub requests: u32,
    /// As Homing had learned it at the end.
    pub bytes_per_token: f64,
}

/// One engine's cache, and what Homing made of it.
#[derive(Debug, Serialize)]
pub struct CacheRead {
    pub endpoint: String,
    pub engine: Option<String>,
    pub told: Cache,
    pub expected_blocks: u64,
    pub homing_blocks: u64,
}

// === impl Report ===

impl Report {
    pub fn write(&self, folder: &Path, text: &str) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        for (name, content) in [("report.json", json.as_str()), ("report.txt", text)] {
            let path = folder.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    pub fn holds(&self) -> bool {
        self.claims.iter().all(|claim| claim.holds)
    }
}
