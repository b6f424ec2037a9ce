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
    let beside = ["charts/homing/README.md", "deploy/README.md"];
    let mut dead = Vec::new();
    for page in top.iter().chain(&beside).map(|name| root().join(name)).chain(files("docs", "md")) {
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

/// What a reader of a gateway's page finds on every other one, too.
const HEADINGS: [&str; 9] = [
    "Before you begin",
    "Install",
    "Verify",
    "Tune",
    "Upgrade",
    "Remove",
    "When Homing is down",
    "What is easily forgotten",
    "Troubleshooting",
];

#[test]
fn every_page_of_a_gateway_has_the_same_headings_in_the_same_order() {
    let named = |page: &PathBuf| {
        let name = page.file_name().expect("a file has a name");
        name.to_string_lossy().starts_with("install-")
    };
    let pages = files("docs", "md").into_iter().filter(named);
    let mut seen = 0;
    for page in pages {
        let text = fs::read_to_string(&page).expect("the page is text");
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{}", page.display());
        let opening = text.split("\n## ").next().expect("a page begins with something");
        assert!(opening.contains(" run"), "{} says what was run, or that nothing was", page.display());
        seen += 1;
    }
    assert!(seen >= 8, "{seen} pages");
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

/// A metric, as its page and as the documentation describe it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Family {
    /// As it is scraped: a counter ends in `_total`.
    name: String,
    /// `counter`, `gauge` and so on.
    kind: String,
    /// The names of its labels, in order.
    labels: Vec<String>,
}

/// The rows of the table on the page: "| `name{label,label}` | type | text |".
fn documented(page: &str) -> Vec<(Family, &str)> {
    let family = |row: &str| {
        let mut cells = row.strip_prefix("| `homing_")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`');
        let (name, labels) = name.trim_end_matches('}').split_once('{').unwrap_or((name, ""));
        let mut labels: Vec<_> = labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        labels.sort();
        Some(Family { name: format!("homing_{name}"), kind: cells.next()?.to_owned(), labels })
    };
    page.lines().filter_map(|row| Some((family(row)?, row))).collect()
}

/// The families of a scraped page, each with the label values that it shows.
fn scraped(page: &str) -> Vec<(Family, Vec<String>)> {
    let mut families: Vec<(Family, Vec<String>)> = Vec::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|family| family.split_once(' ')) {
            let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            families.push((Family { name, kind: kind.to_owned(), labels: Vec::new() }, Vec::new()));
            continue;
        }
        let Some((family, values)) = families.last_mut().filter(|_| !line.starts_with('#')) else { continue };
        let Some((_, labels)) = line.split_once('{') else { continue };
        for (name, value) in labels.split("\",").filter_map(|pair| pair.split_once("=\"")) {
            // The bounds of a histogram's buckets are no label of ours.
            if name != "le" && !family.labels.iter().any(|known| known == name) {
                family.labels.push(name.to_owned());
                family.labels.sort();
            }
            values.extend(
                (!["endpoint", "replica", "le"].contains(&name))
                    .then(|| value.split('"').next().unwrap_or(value).to_owned()),
            );
        }
    }
    families
}

#[test]
fn every_metric_is_on_its_page_with_its_type_and_labels_and_no_other() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("the page is text");
    let metrics = homing::metrics::Metrics::new();
    homing::metrics::PodState::ALL.iter().for_each(|state| metrics.pool_pods.set(*state, 0));
    for watch in ["inferencepools", "pods", "configmaps"] {
        drop(metrics.watches.get_or_create(&[("watch", watch)]));
    }
    let gauges = [&metrics.waiting_tokens, &metrics.in_flight, &metrics.blocks, &metrics.failure_share];
    for gauges in gauges.into_iter().chain([&metrics.scrape_age, &metrics.kv_usage]) {
        drop(gauges.get_or_create(&[("endpoint", "r1".to_owned())]));
    }
    drop(metrics.certificate_expiry.get_or_create(&[]));
    drop(metrics.sharing.connected.get_or_create(&[]));
    drop(metrics.sharing.replica_age.get_or_create(&[("replica", "homing-1".to_owned())]));
    drop(metrics.endpoint_picks.get_or_create(&[("endpoint", "r1".to_owned())]));
    let (text, rows) = (metrics.render(), documented(&page));
    let mut documented: Vec<_> = rows.iter().map(|(family, _)| family).collect();
    let scraped = scraped(&text);
    let mut served: Vec<_> = scraped.iter().map(|(family, _)| family).collect();
    documented.sort();
    served.sort();
    assert_eq!(documented, served);
    for (family, values) in &scraped {
        let (_, row) = rows.iter().find(|(row, _)| row == family).expect("it is documented");
        for value in values {
            assert!(row.contains(&format!("`{value}`")), "{value} is not in: {row}");
        }
    }
}

#[test]
fn a_table_of_metrics_that_lies_is_found() {
    let page = "# TYPE homing_picks counter\nhoming_picks_total{reason=\"load\",by=\"x\"} 0\n\
                # TYPE homing_wait_seconds histogram\nhoming_wait_seconds_bucket{le=\"1.0\"} 0\nhoming_wait_seconds_sum 0\n";
    let expected =
        [("homing_picks_total", "counter", &["by", "reason"][..]), ("homing_wait_seconds", "histogram", &[])].map(
            |(name, kind, labels)| Family {
                name: name.into(),
                kind: kind.into(),
                labels: labels.iter().map(|&it| it.into()).collect(),
            },
        );
    let scraped = scraped(page);
    assert!(scraped.iter().map(|(family, _)| family).eq(&expected), "{scraped:?}");
    assert_eq!(scraped[0].1, ["load", "x"]);
    let truth =
        ["| `homing_picks_total{reason,by}` | counter | picks |", "| `homing_wait_seconds` | histogram | time |"];
    for (row, family) in truth.into_iter().zip(&expected) {
        assert_eq!(documented(row)[0].0, *family);
    }
    for lie in [
        "| `homing_picks{reason,by}` | counter |",
        "| `homing_picks_total{reason}` | counter |",
        "| `homing_picks_total{reason,by}` | gauge |",
    ] {
        assert_ne!(documented(lie)[0].0, expected[0], "{lie}");
    }
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
