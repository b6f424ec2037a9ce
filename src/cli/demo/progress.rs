//! How far the demo is: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::drive::Timing;

/// Progress over both policies.
pub struct Progress {
    timing: Timing,
    bar: Option<ProgressBar>,
    policy: &'static str,
    /// Time of the policies before.
    done: Duration,
    begun: u32,
    phase: &'static str,
}

impl Progress {
    /// Nothing done yet, and nothing shown.
    pub fn new(timing: Timing) -> Self {
        Self { timing, bar: None, policy: "", done: Duration::ZERO, begun: 0, phase: "" }
    }

    /// The parts of each policy's run.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// A policy begins.
    pub fn begin(&mut self, policy: &'static str) {
        if self.begun == 0 {
            self.bar = stderr().is_terminal().then(|| bar(self.timing));
        }
        self.done = self.begun * self.timing.length();
        self.begun += 1;
        self.policy = policy;
        self.phase("starting", Duration::ZERO);
    }

    /// So much of the policy's run has passed.
    pub fn at(&mut self, since: Duration) {
        let Timing { warm_up, .. } = self.timing;
        let phase = match since {
            _ if since < warm_up => "warming up",
            _ if since < self.timing.length() => "measuring",
            _ => "waiting for last answers",
        };
        self.phase(phase, since);
    }

    /// Something else is done before the next policy.
    pub fn meanwhile(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Says something without disturbing the bar.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn phase(&mut self, phase: &'static str, since: Duration) {
        let passed = self.done + since.min(self.timing.length());
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {phase}", self.policy));
            bar.set_position(passed.as_secs());
        } else if self.phase != phase {
            let left = (2 * self.timing.length()).saturating_sub(passed).as_secs();
            eprintln!("{}: {phase} ({left} s left)", self.policy);
        }
        self.phase = phase;
    }
}

fn bar(timing: Timing) -> ProgressBar {
    let bar = ProgressBar::new(2 * timing.length().as_secs());
    if let Ok(style) = ProgressStyle::with_template("{msg:32} {wide_bar} {eta} left") {
        bar.set_style(style);
    }
    bar
}
