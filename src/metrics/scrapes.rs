//! How a scrape of an engine ended.

/// How one scrape of an engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrapeLabel {
    /// The page was read and has names that we know.
    Good,
    /// The page was read and has no name that we know.
    UnknownNames,
    /// The page took longer than the timeout.
    Timeout,
    /// The answer was not 200.
    Status,
    /// The answer was JSON, and is no metrics page.
    Json,
    /// The page was over the cap.
    TooLarge,
    /// The connection could not be made.
    Connect,
    /// The exchange failed after the connection was made.
    Exchange,
}

impl ScrapeLabel {
    /// Every label, in the order of `docs/metrics.md`.
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::UnknownNames,
        Self::Timeout,
        Self::Status,
        Self::Json,
        Self::TooLarge,
        Self::Connect,
        Self::Exchange,
    ];

    /// The word in the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::UnknownNames => "unknown-names",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Json => "json",
            Self::TooLarge => "too-large",
            Self::Connect => "connect",
            Self::Exchange => "exchange",
        }
    }
}
