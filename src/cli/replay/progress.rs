//! How far the work is: a bar on a terminal, a line every ten seconds elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Steps of the bar for each piece of work.
const STEPS: f64 = 1_000.0;
/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Progress over several pieces of work that take about as long.
pub struct Progress {
    bar: Option<ProgressBar>,
    begun: usize,
    pieces: usize,
    since: Instant,
    /// When the last line was written, or the work began.
    told: Rc<Cell<Instant>>,
}

impl Progress {
    /// Nothing done yet.
    pub fn new(pieces: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new((pieces as f64 * STEPS) as u64);
            if let Ok(style) = ProgressStyle::with_template("{msg:36} {wide_bar} {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        let since = Instant::now();
        Self { bar, begun: 0, pieces, since, told: Rc::new(Cell::new(since)) }
    }

    /// The next piece begins; what is returned takes which share of it is done, 0 to 1.
    pub fn begin(&mut self, what: String) -> impl FnMut(f64) + use<> {
        let (before, pieces) = (self.begun as f64, self.pieces as f64);
        self.begun += 1;
        if let Some(bar) = &self.bar {
            bar.set_message(what.clone());
        }
        let (bar, since, told) = (self.bar.clone(), self.since, Rc::clone(&self.told));
        move |done| match &bar {
            Some(bar) => bar.set_position(((before + done) * STEPS) as u64),
            None if told.get().elapsed() >= LINES => {
                told.set(Instant::now());
                eprintln!("{}", line(&what, (before + done) / pieces, since.elapsed()));
            }
            None => {}
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

/// What is being done, and how far all is: `share` of it after `elapsed`.
fn line(what: &str, share: f64, elapsed: Duration) -> String {
    let left = elapsed.as_secs_f64() * (1.0 - share) / share;
    let left = Duration::try_from_secs_f64(left.round())
        .map_or(String::new(), |left| format!(", about {} left", humantime::format_duration(left)));
    format!("{what}: {:.0} % of all done{left}", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_done_how_far_all_is_and_how_long_it_takes_yet() {
        for (share, said) in [
            (0.25, "default at 3/s: 25 % of all done, about 30s left"),
            (1.0, "default at 3/s: 100 % of all done, about 0s left"),
            (0.0, "default at 3/s: 0 % of all done"),
        ] {
            assert_eq!(line("default at 3/s", share, Duration::from_secs(10)), said);
        }
    }
}
