//! The last of many durations, for people who want to know how late news are.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Half a minute of two replicas that are busy, or some seconds of eight.
const REMEMBERED: usize = 1024;

/// The last ones, in seconds.
#[derive(Debug, Default)]
pub struct Lags(Mutex<VecDeque<f64>>);

impl Lags {
    /// One more.
    pub fn note(&self, seconds: f64) {
        let mut lags = self.0.lock();
        if lags.len() == REMEMBERED {
            lags.pop_front();
        }
        lags.push_back(seconds);
    }

    /// The values that these shares of them, 0 to 1, do not exceed; `None` where there are none.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> Option<[f64; N]> {
        let mut sorted: Vec<f64> = self.0.lock().iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        Some(shares.map(|share| sorted[((last as f64) * share).round() as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_last_ones() {
        let lags = Lags::default();
        assert_eq!(lags.quantiles([0.5]), None);
        (0..5_000).for_each(|_| lags.note(9.0));
        (1..=REMEMBERED).rev().for_each(|number| lags.note(number as f64));
        assert_eq!(lags.quantiles([0.0, 0.5, 0.99, 1.0]), Some([1.0, 513.0, 1014.0, 1024.0]));
    }
}
