//! The sides that are compared, in the order in which they run.

use super::envoy::Listener;

/// One way to serve the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Envoy alone.
    RoundRobin,
    /// One Homing, as the only one there is to see.
    Homing,
    /// The same, beside several.
    One,
    /// So many Homings, each of which knows only its own requests.
    Alone(u8),
    /// So many, which share what they know.
    Sharing(u8),
}

// === impl Side ===

impl Side {
    /// What to run to show so many Homings.
    pub fn all(pickers: u8) -> Vec<Self> {
        match pickers {
            1 => vec![Self::RoundRobin, Self::Homing],
            several => vec![Self::RoundRobin, Self::One, Self::Alone(several), Self::Sharing(several)],
        }
    }

    /// Its name in reports, and of its folder of logs.
    pub fn name(self) -> String {
        match self {
            Self::RoundRobin | Self::Homing => self.listener().name().to_owned(),
            Self::One => "1-picker".to_owned(),
            Self::Alone(pickers) => format!("{pickers}-alone"),
            Self::Sharing(pickers) => format!("{pickers}-sharing"),
        }
    }

    /// Which way through Envoy it goes.
    pub fn listener(self) -> Listener {
        if self == Self::RoundRobin { Listener::RoundRobin } else { Listener::Homing }
    }

    /// How many Homings run; one runs beside round robin, too.
    pub fn pickers(self) -> u8 {
        match self {
            Self::RoundRobin | Self::Homing | Self::One => 1,
            Self::Alone(pickers) | Self::Sharing(pickers) => pickers,
        }
    }

    /// Whether they share.
    pub fn shares(self) -> bool {
        matches!(self, Self::Sharing(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_pickers_are_shown_beside_one_and_beside_as_many_that_share_nothing() {
        for (pickers, sides) in [
            (1, vec![("round-robin", 1, false), ("homing", 1, false)]),
            (3, vec![("round-robin", 1, false), ("1-picker", 1, false), ("3-alone", 3, false), ("3-sharing", 3, true)]),
        ] {
            let all = Side::all(pickers);
            assert_eq!(all.iter().filter(|side| side.listener() == Listener::RoundRobin).count(), 1);
            let names: Vec<_> = all.iter().map(|side| side.name()).collect();
            let all = names.iter().zip(&all).map(|(name, side)| (name.as_str(), side.pickers(), side.shares()));
            assert_eq!(Vec::from_iter(all), sides);
        }
    }
}
