//! How long it took from a pick until another replica knew of it, as Homing's metrics say.

use crate::pickers::Picker;

const NAME: &str = "homing_shared_state_lag_seconds_bucket";

/// The histogram: how many were no later than each bound, in seconds.
#[derive(Debug)]
pub struct Lag(Vec<(f64, f64)>);

impl Lag {
    /// As it is now.
    pub fn read(picker: &Picker) -> anyhow::Result<Self> {
        let page = picker.metrics()?;
        let bucket = |line: &str| -> Option<(f64, f64)> {
            let (bound, count) = line.strip_prefix(NAME)?.strip_prefix("{le=\"")?.split_once("\"} ")?;
            // "+Inf" is a number.
            Some((bound.parse().ok()?, count.parse().ok()?))
        };
        Ok(Self(page.lines().filter_map(bucket).collect()))
    }

    /// Milliseconds below which this share lies of what came since `before`; between bounds by a straight line.
    pub fn millis(&self, before: &Self, share: f64) -> f64 {
        let counts = || self.0.iter().zip(&before.0).map(|((bound, now), (_, before))| (*bound, now - before));
        let wanted = share * counts().next_back().map_or(0.0, |(_, all)| all);
        let (mut from, mut below) = (0.0, 0.0);
        for (bound, count) in counts() {
            if count >= wanted && count > below {
                let until = if bound.is_finite() { bound } else { from };
                return 1e3 * (from + (until - from) * (wanted - below) / (count - below));
            }
            (from, below) = (bound, count);
        }
        f64::NAN
    }
}
