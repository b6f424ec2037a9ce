//! From the trace's time to that of the replay.

use crate::replay::trace::{Arrival, Survey};
use crate::replay::{Rate, Seconds};

/// How fast requests come.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many times as fast.
    Times(f64),
    /// So far apart, where the trace says nothing of time.
    Even(Seconds),
}

impl Pace {
    /// At which all requests of the trace make `rate`.
    pub fn new(survey: &Survey, rate: Rate) -> Self {
        match (rate, survey.rate()) {
            (Rate::Times(times), Some(_)) => Self::Times(times),
            (Rate::Times(_), None) => Self::Even(0.0),
            (Rate::PerSecond(rate), Some(own)) => Self::Times(rate / own),
            (Rate::PerSecond(rate), None) => Self::Even(1.0 / rate),
        }
    }

    /// When a request comes.
    pub fn at(&self, arrival: &Arrival) -> Seconds {
        match self {
            Self::Times(times) => arrival.at / times,
            Self::Even(gap) => arrival.number as f64 * gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::trace::{Format, Trace};

    #[test]
    fn a_rate_is_the_mean_over_the_trace_also_where_it_has_no_times() {
        let line = "{\"timestamp\": 0, \"input_length\": 100, \"output_length\": 1, \"hash_ids\": []}\n";
        let survey = |text: &str| Trace::text(text, Format::Mooncake).survey().expect("readable");
        let at = |text: &str, rate| {
            let pace = Pace::new(&survey(text), rate);
            let arrivals = Trace::text(text, Format::Mooncake).arrivals().expect("memory");
            arrivals.map(|arrival| pace.at(&arrival.expect("readable"))).collect::<Vec<_>>()
        };
        assert_eq!(at(&line.repeat(3), Rate::PerSecond(4.0)), [0.0, 0.25, 0.5]);
        assert_eq!(at(&line.repeat(2), Rate::Times(4.0)), [0.0, 0.0]);
        let timed = line.to_owned() + &line.replace("\"timestamp\": 0", "\"timestamp\": 2000");
        assert_eq!(at(&timed, Rate::Times(4.0)), [0.0, 0.5]);
        assert_eq!(at(&timed, Rate::PerSecond(1.0)), [0.0, 1.0]);
    }
}
