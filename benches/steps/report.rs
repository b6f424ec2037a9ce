//! The steps' section of the report, from what Criterion has written.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sections;

/// What a decision may take, in microseconds, by the name of its step.
const BUDGETS: [(&str, f64); 3] = [
    ("decision/8 endpoints, 1 KB", 3.0),
    ("decision/100 endpoints, 100,000 tokens that all hold in part", 100.0),
    ("decision/5,000 endpoints, 1 KB", 150.0),
];

/// One line for each step that was measured in this folder, now or before; `more` stands below.
pub fn write(more: &str) -> anyhow::Result<()> {
    let folder = sections::folder().with_file_name("criterion");
    let mut steps = Vec::new();
    find(&folder, &mut steps);
    steps.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut text = "CPU time of each step by itself, on one thread, with everything warm: the middle of Criterion's estimates.\n\n\
                    | step | CPU time | budget |\n|---|---|---|\n"
        .to_owned();
    for (name, nanos) in steps {
        let budget = BUDGETS.iter().find(|(step, _)| *step == name);
        let budget = budget.map_or(String::new(), |(_, budget)| {
            format!("{budget:.0} us, {}", if nanos <= budget * 1e3 { "met" } else { "missed" })
        });
        text.push_str(&format!("| {name} | {} | {budget} |\n", told(nanos)));
    }
    text.push_str(&format!("\n{more}\n{}", sections::circumstances()));
    sections::write("0-steps", "Each step by itself", &text)?;
    Ok(())
}

/// Every `new/estimates.json` below, by the name that `new/benchmark.json` gives it.
fn find(folder: &Path, found: &mut Vec<(String, f64)>) {
    let below: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).collect();
    let read =
        |name: &str| -> Option<Value> { serde_json::from_slice(&fs::read(folder.join("new").join(name)).ok()?).ok() };
    if let (Some(of), Some(estimates)) = (read("benchmark.json"), read("estimates.json"))
        && let (Some(name), Some(nanos)) = (of["full_id"].as_str(), estimates["median"]["point_estimate"].as_f64())
    {
        found.push((name.to_owned(), nanos));
        return;
    }
    below.iter().filter(|path| path.is_dir()).for_each(|path| find(path, found));
}

fn told(nanos: f64) -> String {
    match nanos {
        short if short < 1e3 => format!("{short:.0} ns"),
        middle if middle < 1e5 => format!("{:.1} us", middle / 1e3),
        long => format!("{:.0} us", long / 1e3),
    }
}
