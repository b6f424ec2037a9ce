//! The objects that were applied: those of a user's, and those that the chart makes.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::attached::{NAME, values};
use crate::gateway::envoy_gateway::class;
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
    // JSON is YAML too.
    let class = class(ENVOY_GATEWAY).map(|object| format!("---\n{object:#}\n")).concat();
    let own =
        [("gateway-class", &*class), ("gateway", GATEWAY), ("engines", ENGINES), ("route", ROUTE), (NAME, &rendered)];
    let paths = own.map(|(name, text)| save(folder, name, text));
    let paths: Vec<String> = paths.into_iter().collect::<anyhow::Result<_>>()?;
    let before = save(&folder.join("before"), "round-robin", ROUND_ROBIN)?;
    let values: String = values().iter().map(|value| format!(" \\\n    --set '{value}'")).collect();
    let shown = [&[ROUTE.to_owned()][..], &attaching(&rendered)].concat().join("---\n");
    Ok(format!(
        "The route, and what attaches Homing to it:\n\n{}\nHoming was installed by\n\n  helm install {NAME} \
         charts/homing{values}\n\nAll objects, beside those of the release {ENVOY_GATEWAY} of Envoy Gateway's chart:\n{}\n\
         Before Homing there was this one too, and it was taken away:\n{before}",
        shown.lines().map(|line| format!("  {line}\n")).collect::<String>(),
        paths.concat(),
    ))
}

/// Writes one file; the line that names it.
fn save(folder: &Path, name: &str, text: &str) -> anyhow::Result<String> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{name}.yaml"));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!("  {}\n", path.display()))
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
