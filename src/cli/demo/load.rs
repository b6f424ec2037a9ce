//! The options of the load, which every demo has.

use std::time::Duration;

use super::drive::Timing;
use crate::simulation::workload::{Shape, Workload};

/// What is sent, and how much of it is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Load {
    /// Seed of the workload; the same seed asks the same questions at the same times.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Time that is measured for each policy, after the warm-up.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub measure: Duration,
    /// Time before that, in which the caches fill and the queues of the cold start go.
    #[arg(long, value_name = "TIME", default_value = "12s", value_parser = humantime::parse_duration)]
    pub warm_up: Duration,
    /// Conversations that start in a second; default: 60 % of what round robin can carry.
    #[arg(long, value_name = "NUMBER", default_value_t = Shape::default().starts_per_second, value_parser = rate)]
    pub rate: f64,
}

// === impl Load ===

impl Load {
    /// The parts of one policy's run.
    pub fn timing(&self) -> Timing {
        Timing { warm_up: self.warm_up, measure: self.measure }
    }

    /// Every conversation of one policy's run.
    pub fn workload(&self) -> Workload {
        let shape = Shape { starts_per_second: self.rate, ..Shape::default() };
        Workload::new(shape, self.seed, self.timing().length())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if f64::is_finite(rate) && rate > 0.0 => Ok(rate),
        _ => Err("must be a number above 0".to_owned()),
    }
}
