//! Times by size, so that a long trace takes no more room than a short one.

use crate::replay::Seconds;

/// Below this all times are alike.
const SMALLEST: Seconds = 1e-4;
/// Each bucket reaches so much further than the one before: a percentile is off by half of it at most.
const GROWTH: f64 = 1.004;
/// From 0.1 ms to more than ten days.
const BUCKETS: usize = 6_000;

/// How many times of each size there were.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: Seconds,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, sum: 0.0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, time: Seconds) {
        let place = (time.max(SMALLEST) / SMALLEST).ln() / GROWTH.ln();
        self.counts[(place as usize).min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.sum += time;
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; not a number where there were none.
    pub fn mean(&self) -> Seconds {
        self.sum / self.count as f64
    }

    /// The time that this share of them, 0 to 1, does not exceed; not a number where there were none.
    pub fn quantile(&self, share: f64) -> Seconds {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (place, count) in (0i32..).zip(&self.counts) {
            seen += count;
            if seen >= rank {
                return SMALLEST * GROWTH.powi(place) * GROWTH.sqrt();
            }
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_as_exact_as_its_bucket(mut times in prop::collection::vec(0.001f64..10_000.0, 1..200), share in 0.0f64..=1.0) {
            let mut histogram = Histogram::default();
            times.iter().for_each(|time| histogram.add(*time));
            times.sort_by(f64::total_cmp);
            let rank = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len());
            let (exact, found) = (times[rank - 1], histogram.quantile(share));
            prop_assert!((found / exact - 1.0).abs() < 0.0025, "{found} for {exact}");
        }
    }

    #[test]
    fn nothing_has_no_mean_and_no_quantile() {
        assert!(Histogram::default().mean().is_nan() && Histogram::default().quantile(0.5).is_nan());
    }
}
