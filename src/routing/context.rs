//! All that a scorer may look at. A new signal is a field here, never an import from a scorer.

/// One eligible endpoint, as it stands for this request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its place in the pool snapshot.
    pub member: u32,
    /// Stable hash of its identity, for rendezvous.
    pub placement: u64,
    /// Divides its cost and enters rendezvous; above 0.
    pub weight: f64,
    /// Q: tokens sent there whose first byte has not come back.
    pub waiting_tokens: f64,
    /// n: requests in flight there.
    pub in_flight: u32,
    /// U: tokens of this prompt that it does not hold.
    pub uncached_tokens: f64,
    /// Whether the session lives there.
    pub is_home: bool,
    /// Whether it may end soon, because there are newer ones of its kind.
    pub is_outdated: bool,
    /// Whether the session lives there that a new one was started from; it decides ties only.
    pub is_parents_home: bool,
    /// Whether the request names a LoRA adapter that would have to be loaded there.
    pub lacks_adapter: bool,
    /// Charged for recent failures, in tokens.
    pub penalty: f64,
}

/// One request and its choices.
#[derive(Clone, Copy, Debug)]
pub struct PickContext<'a> {
    /// The eligible endpoints; never empty.
    pub candidates: &'a [Candidate],
    /// Tokens of the session's context that only its home holds and the prefix index cannot see.
    pub hidden_tokens: f64,
    /// Whether the pick is to become the home of a session that has none.
    pub seeks_home: bool,
    /// Tokens in one prefix block, the grain of a near-tie.
    pub block_tokens: f64,
    /// What rendezvous hashes: the session, or else the root of the prefix.
    pub tie_key: u64,
}
