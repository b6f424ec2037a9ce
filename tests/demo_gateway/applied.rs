//! The objects that were applied: those of a user's, and those that the chart makes.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::attached::{NAME, values};
use crate::site::{ENVOY_GATEWAY, Site};

pub const ENGINES: &str = include_str!("objects/engines.yaml");
pub const GATEWAY: &str = include_str!("objects/gateway.yaml");
pub const ROUTE: &str = include_str!("objects/route.yaml");
pub const ROUND_ROBIN: &str = include_str!("objects/round-robin.yaml");
/// What attaches Homing, of all that the chart makes.
const ATTACHING: [&str; 2] = ["EnvoyExtensionPolicy", "BackendTrafficPolicy"];

/// Writes all into `folder`; what to show of them.
///
/// # Errors
/// The folder cannot be written.
pub async fn write(site: &Site, folder: &Path) -> anyhow::Result<String> {
    let rendered = site.release.helm(&["get", "manifest", NAME]).await;
    let own =
        [("engines", ENGINES), ("gateway", GATEWAY), ("route", ROUTE), ("round-robin", ROUND_ROBIN), (NAME, &rendered)];
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut paths = Vec::new();
    for (name, text) in own {
        let path = folder.join(format!("{name}.yaml"));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        paths.push(format!("  {}\n", path.display()));
    }
    let values: String = values().iter().map(|value| format!(" \\\n    --set '{value}'")).collect();
    let shown = [&[ROUTE.to_owned()][..], &attaching(&rendered)].concat().join("---\n");
    Ok(format!(
        "The route, and what attaches Homing to it:\n\n{}\nHoming was installed by\n\n  helm install {NAME} \
         charts/homing{values}\n\nAll objects, beside those of the release {ENVOY_GATEWAY} of Envoy Gateway's chart:\n{}",
        shown.lines().map(|line| format!("  {line}\n")).collect::<String>(),
        paths.concat(),
    ))
}

/// The documents of the chart that attach Homing, without Helm's comments.
fn attaching(rendered: &str) -> Vec<String> {
    let documents = rendered.split("---\n");
    let wanted = documents.filter(|text| ATTACHING.iter().any(|kind| text.contains(&format!("\nkind: {kind}\n"))));
    let plain = wanted.map(|text| {
        let lines = text.trim_end().lines().filter(|line| !line.starts_with("# Source:"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    plain.collect()
}
