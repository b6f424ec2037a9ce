//! The table of the rows and its file.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::load::CONNECTIONS;
use crate::rows::{IN_FLIGHT, Work};
use crate::sections;
use crate::statistics::{median, percentile};

/// What both pickers cost for one kind of request, round by round, in microseconds of CPU a pick.
#[derive(Debug)]
pub struct Row {
    work: Work,
    rounds: Vec<[f64; 2]>,
    /// How long requests took, in microseconds, by picker.
    latencies: [Vec<u32>; 2],
}

// === impl Row ===

impl Row {
    pub fn new(work: Work) -> Self {
        Self { work, rounds: Vec::new(), latencies: [Vec::new(), Vec::new()] }
    }

    /// The floor's cost and the picker's, from the same round.
    pub fn push(&mut self, costs: [f64; 2]) {
        self.rounds.push(costs);
    }

    /// How long requests took with the floor (0) or the picker (1).
    pub fn took(&mut self, side: usize, latencies: Vec<u32>) {
        self.latencies[side].extend(latencies);
    }

    fn cost(&self, side: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[side]))
    }

    /// The median of the rounds' own ratios: a round that was disturbed as a whole does not count.
    fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(|[floor, picker]| picker / floor))
    }

    fn json(&self) -> Value {
        let rounded = |value: f64, places: f64| (value * places).round() / places;
        json!({"work": self.work.name, "floor_cpu_us": rounded(self.cost(0), 10.0),
               "homing_cpu_us": rounded(self.cost(1), 10.0), "ratio": rounded(self.ratio(), 1_000.0)})
    }

    fn line(&self) -> String {
        let Work { name, budget, .. } = self.work;
        let met = if self.ratio() <= budget { "yes" } else { "no" };
        let [floor, picker] = self.latencies.clone().map(|mut took| [0.5, 0.99].map(|at| percentile(&mut took, at)));
        format!(
            "| `{name}` | {:.1} | {:.1} | {:.2} | {budget:.1} | {met} | {} / {} | {} / {} |\n",
            self.cost(0),
            self.cost(1),
            self.ratio(),
            floor[0],
            floor[1],
            picker[0],
            picker[1],
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (floor, picker) = (self.cost(0), self.cost(1));
        write!(f, "{:<14}{floor:>10.1} us{picker:>10.1} us{:>8.2}", self.work.name, self.ratio())
    }
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> String {
    let head = "| work | floor, CPU us | Homing, CPU us | ratio | budget | met | floor, p50 / p99 us | Homing, p50 / p99 us |\n\
                |---|---|---|---|---|---|---|---|\n";
    head.to_owned() + &rows.iter().map(Row::line).collect::<String>()
}

/// Writes the rows' section of the report, and `bench/report.json`.
pub fn write(rows: &[Row], pinned: bool, quick: bool) -> std::io::Result<PathBuf> {
    let placed = if pinned { "on a processor each" } else { "not pinned" };
    let quick = if quick { " A quick look: fewer and shorter rounds." } else { "" };
    let text = format!(
        "CPU time of the picker's process for one request, user and system; {IN_FLIGHT} in flight over {CONNECTIONS} \
         connections, 4 for `500KB`; picker and load {placed}. Times are medians over {} rounds, the ratio is the median of \
         the rounds' ratios; latencies are those of a saturated picker.{quick}\n\n{}\n{}\n",
        rows.first().map_or(0, |row| row.rounds.len()),
        table(rows),
        sections::circumstances(),
    );
    sections::write("1-rows", "What a pick costs", &text)?;
    let path = sections::folder().join("report.json");
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    fs::write(&path, format!("{:#}\n", Value::from(rows)))?;
    println!("\n{}\n{}", sections::folder().join("report.md").display(), path.display());
    Ok(path)
}
