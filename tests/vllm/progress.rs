//! Progress: a line for each step with the seconds that it took, and a bar for each policy.

use std::io::{IsTerminal, stderr};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// Does one step, and says what it is before and how long it took after.
pub async fn step<T>(name: &str, step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    eprint!("{name} ... ");
    let done = step.await;
    match &done {
        Ok(_) => eprintln!("{:.0} s", began.elapsed().as_secs_f64()),
        Err(_) => eprintln!("failed"),
    }
    done
}

/// A policy's requests as they are answered.
pub struct Requests {
    policy: &'static str,
    bar: Option<ProgressBar>,
    answered: u64,
    of: u64,
}

// === impl Requests ===

impl Requests {
    pub fn new(policy: &'static str, of: usize) -> Self {
        let of = of as u64;
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(of).with_message(policy);
            if let Ok(style) = ProgressStyle::with_template("{msg:12} {wide_bar} {pos} of {len}, {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        Self { policy, bar, answered: 0, of }
    }

    pub fn answered(&mut self) {
        self.answered += 1;
        let Self { policy, bar, answered, of } = self;
        match bar {
            Some(bar) => bar.inc(1),
            // A line a quarter, where nobody looks.
            None if *answered * 4 % *of < 4 => eprintln!("{policy}: {answered} of {of} requests"),
            None => {}
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}
