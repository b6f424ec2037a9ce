//! What came of an update, counted, and said where somebody has to do something.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::lags::Lags;
use crate::metrics::{Direction, SharingMetrics};
use crate::sources::shared_state::News;
use crate::state::{Heard, Undecodable};

/// Counts; says each of these once, as it would be said with every update.
#[derive(Debug, Default)]
pub struct Judge {
    /// How late news were.
    pub lags: Lags,
    other_key: AtomicBool,
    other_cut: AtomicBool,
    refused: AtomicBool,
}

impl Judge {
    /// Counts one update of so many bytes.
    pub fn take(&self, heard: Result<Heard, Undecodable>, bytes: usize, news: News<'_>, metrics: &SharingMetrics) {
        match heard {
            Ok(Heard::Own) => {}
            Ok(Heard::Late) => count(bytes, metrics),
            Ok(Heard::Fresh { is_other_key, is_other_cut, waited, .. }) => {
                count(bytes, metrics);
                if let Some(age) = news.age.filter(|_| !news.is_history && !waited.is_zero()) {
                    let lag = (age + waited).as_secs_f64();
                    metrics.lag.observe(lag);
                    self.lags.note(lag);
                }
                if is_other_key && !self.other_key.swap(true, Relaxed) {
                    tracing::warn!(
                        "another replica names sessions by another pool or group: they are not shared with it \
                         (is --state-group the same, and does nobody else write to this log?)"
                    );
                }
                if is_other_cut && !self.other_cut.swap(true, Relaxed) {
                    tracing::warn!(
                        "another replica cuts prompts into blocks otherwise: prefixes are not shared with it until \
                         prefixIndex.blockBytes and the release are the same"
                    );
                }
            }
            Ok(Heard::Twin) => self.refuse("it has the number of this replica", metrics),
            Ok(Heard::Ahead) => self.refuse("its clock is more than a minute ahead", metrics),
            Ok(Heard::Crowded) => self.refuse("there are too many replicas", metrics),
            Err(error) => self.refuse(&error.to_string(), metrics),
        }
    }

    fn refuse(&self, why: &str, metrics: &SharingMetrics) {
        metrics.refused.inc();
        if !self.refused.swap(true, Relaxed) {
            tracing::warn!(why, "shared state: a message is refused; more of them are only counted");
        }
    }
}

fn count(bytes: usize, metrics: &SharingMetrics) {
    metrics.messages.of(Direction::Received).inc();
    metrics.bytes.of(Direction::Received).inc_by(bytes as u64);
}
