//! The chart as a part of another.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::helm::{Helm, chart};

const CHART: &str = r#"
apiVersion: v2
name: umbrella
version: 1.0.0
dependencies:
  - {name: homing, version: "*", condition: homing.enabled}
"#;
const VALUES: &str = r"
global: {team: llm}
homing:
  enabled: true
  image: {repository: images.example.com/homing}
  pool: {name: llama}
";

#[test]
fn the_chart_may_be_a_part_of_another_that_switches_it_on_and_off() {
    let folder = TempDir::new().expect("a folder for temporary files");
    fs::write(folder.path().join("Chart.yaml"), CHART).expect("the folder takes files");
    fs::write(folder.path().join("values.yaml"), VALUES).expect("the folder takes files");
    fs::create_dir(folder.path().join("charts")).expect("the folder takes folders");
    symlink(chart(), folder.path().join("charts/homing")).expect("the folder takes links");
    let path = folder.path().to_str().expect("a plain path");
    let on = Helm::offline().run(&["template", "rel", path]);
    assert!(on.contains("kind: Deployment"), "{on}");
    let off = Helm::offline().run(&["template", "rel", path, "--set", "homing.enabled=false"]);
    assert!(!off.contains("kind: "), "{off}");
}
