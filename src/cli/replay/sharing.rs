//! How often several pickers tell each other what they know: `--share-every`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::replay::policy::Spec;
use crate::state::HEARTBEAT;

/// Time between two exchanges; `None` where nothing is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShareEvery(pub Option<Duration>);

impl FromStr for ShareEvery {
    type Err = String;

    /// A duration, or `none`. A picker that is silent for longer than a heartbeat would soon count as gone.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        let interval = humantime::parse_duration(text).map_err(|error| format!("{error}, nor `none`"))?;
        if (Duration::from_millis(1)..=HEARTBEAT).contains(&interval) {
            Ok(Self(Some(interval)))
        } else {
            Err(format!("pickers tell each other every 1ms to {}", humantime::format_duration(HEARTBEAT)))
        }
    }
}

impl fmt::Display for ShareEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(interval) => humantime::format_duration(interval).fmt(f),
            None => f.write_str("none"),
        }
    }
}

/// How often so many pickers tell each other what they know, where they can and there is anybody to tell.
pub fn intervals(spec: &Spec, pickers: usize, asked: &[ShareEvery]) -> Vec<Option<Duration>> {
    if pickers > 1 && spec.kind.can_share() {
        asked.iter().map(|ShareEvery(every)| *every).collect()
    } else {
        vec![None]
    }
}
