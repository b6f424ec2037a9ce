//! From numbers to places on paper, and which numbers are written there.

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The numbers that are written at it, from low to high; never empty.
    pub ticks: Vec<f64>,
    low: f64,
    high: f64,
    is_log: bool,
}

impl Axis {
    /// From 0 to a round number that none of `values` exceeds.
    pub fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_up(most / 5.0);
        let count = (most / step - 1e-9).ceil();
        let ticks: Vec<f64> = (0..=count as u32).map(|tick| f64::from(tick) * step).collect();
        Self { low: 0.0, high: count * step, ticks, is_log: false }
    }

    /// Between round numbers, with equal distances for equal ratios. Values must be above 0; what is not is left out.
    pub fn log(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = span(values);
        let mut ticks = vec![round_down(low)];
        while let Some(last) = ticks.last().copied().filter(|last| *last < high * (1.0 - 1e-9)) {
            ticks.push(round_up(last * 1.5));
        }
        if ticks.len() == 1 {
            ticks.push(round_up(ticks[0] * 1.5));
        }
        let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
        if ticks.len() > 8 {
            let is_power = |tick: &f64| (tick.log10() - tick.log10().round()).abs() < 1e-9;
            ticks.retain(is_power);
        }
        Self { ticks, low, high, is_log: true }
    }

    /// With equal distances for equal ratios, and these values written at it. They must be above 0.
    pub fn at(values: impl Iterator<Item = f64>) -> Self {
        let mut ticks: Vec<f64> = values.filter(|value| *value > 0.0).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let (low, high) = span(ticks.iter().copied());
        if ticks.is_empty() {
            ticks.push(low);
        }
        // The outermost need room for what marks them.
        Self { ticks, low: low / 1.1, high: high * 1.1, is_log: true }
    }

    /// Where a number is: 0 at the low end, 1 at the high one, and never beyond.
    pub fn place(&self, value: f64) -> f64 {
        let place = if self.is_log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// A number as short as it can be read: `0.25`, `12`, `600k`.
pub fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 || size == 0.0 => 2,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// The lowest and highest that is above 0.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let widen = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
    let (low, high) = values.filter(|value| *value > 0.0).fold((f64::INFINITY, 0.0), widen);
    if high > 0.0 { (low, high) } else { (1.0, 1.0) }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = value / power;
    power * [1.0, 2.0, 5.0].into_iter().find(|step| digit <= step * (1.0 + 1e-9)).unwrap_or(10.0)
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let digit = value / power;
    power * [5.0, 2.0].into_iter().find(|step| digit >= step * (1.0 - 1e-9)).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_numbers_around_the_values() {
        assert_eq!(Axis::from_zero([3.2, 4.4].into_iter()).ticks, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(Axis::from_zero([0.37].into_iter()).ticks.len(), 5);
        assert_eq!(Axis::log([0.3, 8.0].into_iter()).ticks, [0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        assert_eq!(Axis::log([0.01, 4_000.0].into_iter()).ticks.len(), 6);
        assert_eq!(Axis::at([6.0, 3.0, 6.0].into_iter()).ticks, [3.0, 6.0]);
    }

    #[test]
    fn numbers_are_short() {
        let said = [0.0, 0.018, 0.25, 4.5, 12.04, 600_000.0, 2.4e6].map(short);
        assert_eq!(said, ["0", "0.018", "0.25", "4.5", "12", "600k", "2.4M"]);
    }

    proptest! {
        #[test]
        fn every_value_has_a_place_and_a_larger_one_none_below(mut values in prop::collection::vec(0.0f64..1e7, 0..20)) {
            values.sort_by(f64::total_cmp);
            let all = || values.iter().copied();
            for axis in [Axis::from_zero(all()), Axis::log(all()), Axis::at(all())] {
                let places: Vec<f64> = values.iter().map(|value| axis.place(*value)).collect();
                prop_assert!(places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)), "{places:?}");
                prop_assert!(!axis.ticks.is_empty() && axis.ticks.len() <= 20, "{axis:?}");
            }
        }
    }
}
