//! How fast a trace is replayed.

use std::str::FromStr;

/// The rate of arrivals: relative to the trace's own, or absolute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// So many times as fast as the trace; above 0.
    Times(f64),
    /// So many requests in a second, on average over the trace; above 0.
    PerSecond(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |number: &str| number.trim().parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
        let times = || text.strip_suffix('x').and_then(number).map(Self::Times);
        let per_second = || text.strip_suffix("/s").and_then(number).map(Self::PerSecond);
        times().or_else(per_second).ok_or_else(|| "a rate is `2x` (times the trace's own) or `4.5/s`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_relative_or_absolute_and_above_zero() {
        for (text, rate) in [
            ("2x", Some(Rate::Times(2.0))),
            ("0.5x", Some(Rate::Times(0.5))),
            ("4.5/s", Some(Rate::PerSecond(4.5))),
            ("1e2/s", Some(Rate::PerSecond(100.0))),
            ("0x", None),
            ("-1/s", None),
            ("infx", None),
            ("NaN/s", None),
            ("2", None),
            ("x", None),
            ("/s", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), rate, "{text}");
        }
    }
}
