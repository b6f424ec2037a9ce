//! Places in the log.

use std::fmt;

/// Where an entry is in the log: when it was written, by the server's clock, and which of that millisecond it is. The
/// default is before all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub millis: u64,
    pub number: u64,
}

impl Id {
    /// The place right before this one.
    pub fn before(self) -> Self {
        match self.number.checked_sub(1) {
            Some(number) => Self { number, ..self },
            None => Self { millis: self.millis.saturating_sub(1), number: u64::MAX },
        }
    }

    /// Reads one, as in `1700000000000-0`.
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        Some(Self { millis: millis.parse().ok()?, number: number.parse().ok()? })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_in_the_order_of_their_numbers_and_read_back() {
        let texts = ["5-1", "5-10", "12-0"];
        let parsed = texts.map(|text| Id::parse(text).expect("an id"));
        assert!(parsed.is_sorted());
        assert_eq!(parsed.map(|id| id.to_string()), texts);
        let before = ["5-1", "5-0"].map(|text| Id::parse(text).expect("an id").before().to_string());
        assert_eq!(before, ["5-0", "4-18446744073709551615"]);
        assert_eq!(["", "5", "a-1", "5-", "-1"].map(Id::parse), [None; 5]);
    }
}
