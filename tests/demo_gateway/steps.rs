//! Progress: a line for each step, with the seconds that it took, and the demo's own during a run.

use std::io::{IsTerminal, stderr};
use std::time::Instant;

use homing::cli::demo::drive::Timing;
use homing::cli::demo::progress::Progress;

/// What was done so far.
pub struct Steps {
    pub progress: Progress,
    /// Whether a line may be begun and ended later: on a terminal, before there is a bar.
    at_once: bool,
}

// === impl Steps ===

impl Steps {
    pub fn new(timing: Timing) -> Self {
        Self { progress: Progress::new(timing, 2), at_once: stderr().is_terminal() }
    }

    /// Does one step.
    pub async fn take<T>(&mut self, name: &str, step: impl Future<Output = T>) -> T {
        let began = Instant::now();
        if self.at_once {
            eprint!("{name} ...");
        }
        self.progress.meanwhile(name);
        let done = step.await;
        let took = began.elapsed().as_secs_f64();
        if self.at_once {
            eprintln!(" {took:.0} s");
        } else {
            self.progress.note(&format!("{name} ... {took:.0} s"));
        }
        done
    }

    /// A policy begins; from now on there is a bar.
    pub fn begin(&mut self, policy: &'static str) {
        self.at_once = false;
        self.progress.begin(policy);
    }
}
