//! What the documentation points to is there, and the Envoy examples are valid for the real Envoy.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files in `folder` with this extension, and in its folders.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

/// The headings of a page as the anchors that GitHub makes of them.
fn anchors(page: &str) -> Vec<String> {
    let anchor = |heading: &str| {
        let kept = heading.trim().to_lowercase().replace(' ', "-");
        kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut dead = Vec::new();
    for page in top.iter().map(|name| root().join(name)).chain(files("docs", "md")) {
        let text = fs::read_to_string(&page).expect("the page is text");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.with_file_name("").join(path) };
            let reached = fs::read_to_string(&target);
            let has_anchor = |text: String| anchor.is_empty() || anchors(&text).iter().any(|found| found == anchor);
            if !reached.is_ok_and(has_anchor) {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "\n{}\n", dead.join("\n"));
}

#[test]
fn every_envoy_example_is_valid() {
    let script = || Command::new(root().join("scripts/parts/envoy")).output().expect("the script can be run").stdout;
    let envoy = env::var_os("HOMING_ENVOY")
        .unwrap_or_else(|| OsString::from(String::from_utf8(script()).expect("a path").trim_end()));
    for example in files("deploy/envoy", "yaml") {
        if example.ends_with("endpoints.yaml") {
            continue;
        }
        let checked = Command::new(&envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(&example).output();
        let checked = checked.expect("Envoy can be run");
        assert!(checked.status.success(), "{}: {}", example.display(), String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn every_metric_is_on_its_page_and_no_other() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("the page is text");
    let names = |text: &str, suffix: &str| -> Vec<String> {
        let mut names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split(suffix).nth(1)?.split([' ', '{', '`']).next())
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let documented: Vec<_> =
        names(&page, "| `homing_").into_iter().map(|name| name.trim_end_matches("_total").to_owned()).collect();
    let metrics = homing::metrics::Metrics::new();
    metrics.pool_pods.set(homing::metrics::PodState::Eligible, 0);
    drop(metrics.watches.get_or_create(&[("watch", "pods")]));
    for gauges in [&metrics.waiting_tokens, &metrics.in_flight, &metrics.blocks, &metrics.failure_share] {
        drop(gauges.get_or_create(&[("endpoint", "r1".to_owned())]));
    }
    assert_eq!(documented, names(&metrics.render(), "# TYPE homing_"));
}

#[test]
fn every_scorer_has_its_row_with_its_defaults() {
    let page = fs::read_to_string(root().join("docs/scoring.md")).expect("the page is text");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let defaults = homing::config::Scorers::default();
    for kind in homing::config::ScorerKind::ALL {
        let row = format!("| {} | weight {}", kind.as_str(), defaults.weight(kind));
        assert!(page.contains(&row), "{row} in {rows:?}");
    }
}
