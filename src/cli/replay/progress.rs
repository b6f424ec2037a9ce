//! How far the comparison is: a bar on a terminal, a line a policy elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Steps of the bar for each policy.
const STEPS: f64 = 1_000.0;

/// Progress over all policies.
pub struct Progress {
    bar: Option<ProgressBar>,
    begun: usize,
    policies: usize,
}

impl Progress {
    /// Nothing done yet.
    pub fn new(policies: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new((policies as f64 * STEPS) as u64);
            if let Ok(style) = ProgressStyle::with_template("{msg:24} {wide_bar} {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, begun: 0, policies }
    }

    /// A policy begins; what is returned takes which share of it is done, 0 to 1.
    pub fn begin(&mut self, policy: &str) -> impl FnMut(f64) + use<> {
        let before = self.begun as f64;
        self.begun += 1;
        match &self.bar {
            Some(bar) => bar.set_message(policy.to_owned()),
            None => eprintln!("{policy} ({} of {})", self.begun, self.policies),
        }
        let bar = self.bar.clone();
        move |done| {
            if let Some(bar) = &bar {
                bar.set_position(((before + done) * STEPS) as u64);
            }
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
}
