//! The table and its file.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::load::{CONNECTIONS, IN_FLIGHT};
use crate::pickers::Kind;

/// What both pickers cost for one kind of request, round by round, in microseconds of CPU a pick.
#[derive(Debug)]
pub struct Row {
    name: &'static str,
    rounds: Vec<[f64; 2]>,
}

// === impl Row ===

impl Row {
    pub fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    /// The floor's cost and the picker's, from the same round.
    pub fn push(&mut self, cost: [f64; 2]) {
        self.rounds.push(cost);
    }

    fn floor(&self) -> f64 {
        median(self.rounds.iter().map(|round| round[0]))
    }

    fn picker(&self) -> f64 {
        median(self.rounds.iter().map(|round| round[1]))
    }

    /// The median of the rounds' own ratios: a round that was disturbed as a whole does not count.
    fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(|[floor, picker]| picker / floor))
    }

    fn json(&self, kind: Kind) -> Value {
        let picker = format!("{}_us", kind.name());
        json!({"name": self.name, "floor_us": self.floor(), picker: self.picker(), "ratio": self.ratio(),
               "rounds": self.rounds})
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14}{:>14.1}{:>16.1}{:>8.2}", self.name, self.floor(), self.picker(), self.ratio())
    }
}

pub fn print(rows: &[Row], kind: Kind, pinned: bool) {
    let placed = if pinned { "picker and load on a processor each" } else { "not pinned" };
    println!("\nCPU time of the picker's process; {IN_FLIGHT} in flight over {CONNECTIONS} connections, {placed}\n");
    let picker = format!("{} us/pick", kind.name());
    println!("{:<14}{:>14}{picker:>16}{:>8}", "", "floor us/pick", "ratio");
    rows.iter().for_each(|row| println!("{row}"));
}

/// Writes the report into the target folder and says where.
pub fn write(rows: &[Row], kind: Kind, pinned: bool) -> std::io::Result<PathBuf> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = scratch.parent().unwrap_or(scratch).join("bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join(match kind {
        Kind::Homing => "stream.json",
        Kind::Echo => "stream-noise.json",
    });
    let rows: Vec<Value> = rows.iter().map(|row| row.json(kind)).collect();
    let report = json!({"picker": kind.name(), "in_flight": IN_FLIGHT, "connections": CONNECTIONS,
                        "pinned": pinned, "rows": rows});
    fs::write(&path, format!("{report:#}\n"))?;
    Ok(path)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
