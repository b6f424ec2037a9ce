//! The report: one section for each thing measured, each written by whoever measured it last.
//!
//! [`write`] puts a section into `bench/sections/` of the target folder and joins all that lie there into
//! `bench/report.md`, so that a part that is measured again replaces its own section and no other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of all that the benchmarks write.
pub fn folder() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("bench")
}

/// Writes the section of this name; sections stand in the order of their names. Prints it too.
pub fn write(name: &str, title: &str, text: &str) -> io::Result<PathBuf> {
    println!("\n## {title}\n\n{}", text.trim_end());
    let sections = folder().join("sections");
    fs::create_dir_all(&sections)?;
    fs::write(sections.join(format!("{name}.md")), format!("## {title}\n\n{}\n", text.trim_end()))?;
    let mut files: Vec<PathBuf> = fs::read_dir(&sections)?.map(|file| Ok(file?.path())).collect::<io::Result<_>>()?;
    files.sort();
    let mut report = "# What Homing costs\n\nWhat each table means stands in docs/performance.md.\n".to_owned();
    for file in files {
        report.push('\n');
        report.push_str(&fs::read_to_string(file)?);
    }
    let path = folder().join("report.md");
    fs::write(&path, report)?;
    Ok(path)
}

/// The machine and how busy it is, to be said beside each table: numbers of a busy machine are noise.
pub fn circumstances() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let loads = read("/proc/loadavg");
    let load = loads.split(' ').take(2).collect::<Vec<_>>().join(" and ");
    let info = read("/proc/cpuinfo");
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor without a name", |(_, model)| model);
    let build = if cfg!(debug_assertions) { " **Not an optimised build.**" } else { "" };
    format!("{model}, {cores} cores; load average {load} over 1 and 5 minutes.{build}")
}
