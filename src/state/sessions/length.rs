//! The length of a session's prompt, in the unit in which it is known.

/// Marks a number of tokens.
const TOKENS: u32 = 1 << 31;

/// Bytes of text, of which the tokens are learned as time goes by; or tokens, where these were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptLength(u32);

impl PromptLength {
    /// Of a prompt of text; a longer one than 2 GiB counts as that.
    pub fn of_bytes(bytes: f64) -> Self {
        Self((bytes as u32).min(TOKENS - 1))
    }

    /// Of a prompt whose tokens were counted.
    pub fn of_tokens(tokens: f64) -> Self {
        Self((tokens as u32).min(TOKENS - 1) | TOKENS)
    }

    /// In tokens, of which each has so many bytes of text.
    pub fn tokens(self, bytes_per_token: f64) -> f64 {
        match self.0 & TOKENS {
            0 => f64::from(self.0) / bytes_per_token,
            _ => f64::from(self.0 & !TOKENS),
        }
    }

    /// As replicas tell it each other.
    pub fn to_wire(self) -> u32 {
        self.0
    }

    /// As another replica told it; every number is a length.
    pub fn from_wire(told: u32) -> Self {
        Self(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_many_tokens_as_is_learned_and_tokens_stay_what_they_are() {
        for (length, at_four, at_two) in [
            (PromptLength::of_bytes(1_000.0), 250.0, 500.0),
            (PromptLength::of_tokens(1_000.0), 1_000.0, 1_000.0),
            (PromptLength::of_bytes(1e12), f64::from(TOKENS - 1) / 4.0, f64::from(TOKENS - 1) / 2.0),
            (PromptLength::of_tokens(1e12), f64::from(TOKENS - 1), f64::from(TOKENS - 1)),
        ] {
            assert_eq!((length.tokens(4.0), length.tokens(2.0)), (at_four, at_two), "{length:?}");
            assert_eq!(PromptLength::from_wire(length.to_wire()), length);
        }
    }
}
