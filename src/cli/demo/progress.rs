//! How far the demo is: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::drive::Timing;

/// Progress over all policies.
pub struct Progress {
    timing: Timing,
    policies: u32,
    bar: Option<ProgressBar>,
    policy: String,
    /// Time of the policies before.
    done: Duration,
    begun: u32,
    phase: &'static str,
}

impl Progress {
    /// So many policies to come; nothing done yet, and nothing shown.
    pub fn new(timing: Timing, policies: u32) -> Self {
        Self { timing, policies, bar: None, policy: String::new(), done: Duration::ZERO, begun: 0, phase: "" }
    }

    /// The parts of each policy's run.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// A policy begins.
    pub fn begin(&mut self, policy: impl Into<String>) {
        if self.begun == 0 {
            self.bar = stderr().is_terminal().then(|| bar(self.length()));
        }
        self.done = self.begun * self.timing.length();
        self.begun += 1;
        self.policy = policy.into();
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

    /// All policies' runs, one after the other.
    fn length(&self) -> Duration {
        self.policies * self.timing.length()
    }

    fn phase(&mut self, phase: &'static str, since: Duration) {
        let passed = self.done + since.min(self.timing.length());
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {phase}", self.policy));
            bar.set_position(passed.as_secs());
        } else if self.phase != phase {
            let left = self.length().saturating_sub(passed).as_secs();
            eprintln!("{}: {phase} ({left} s left)", self.policy);
        }
        self.phase = phase;
    }
}

fn bar(length: Duration) -> ProgressBar {
    let bar = ProgressBar::new(length.as_secs());
    if let Ok(style) = ProgressStyle::with_template("{msg:32} {wide_bar} {eta} left") {
        bar.set_style(style);
    }
    bar
}
