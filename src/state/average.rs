//! An exponentially weighted mean that many tasks feed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A mean in which each sample weighs `share` and what was before the rest.
#[derive(Debug)]
pub struct Average {
    bits: AtomicU64,
    share: f64,
}

impl Average {
    /// Starts at `initial`; each sample moves it by `share` (0 to 1) of the difference.
    pub fn new(initial: f64, share: f64) -> Self {
        Self { bits: AtomicU64::new(initial.to_bits()), share }
    }

    /// The mean so far.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.bits.load(Relaxed))
    }

    /// Takes a sample in; one that is not finite is ignored.
    pub fn sample(&self, sample: f64) {
        if !sample.is_finite() {
            return;
        }
        // Two samples at once may lose one: a mean does not mind, and nobody waits.
        let mean = self.get();
        self.bits.store((mean + (sample - mean) * self.share).to_bits(), Relaxed);
    }
}
