//! From the pool to the candidates of one request.

use std::time::{Duration, Instant};

use crate::config::{Affinity, PickerConfig};
use crate::model::{Adapter, EndpointId, Reason, Request, SessionSource, Unit};
use crate::routing::{Candidate, PickContext};
use crate::state::{Member, PoolSnapshot, PromptLength};

use super::{KnownSession, Picker, Refusal};

/// A client is never told to stay away for longer: a queue estimate is no better than that.
const LONGEST_RETRY_SECONDS: f64 = 60.0;

/// One request's view of the pool.
pub(super) struct Choices<'a> {
    pub picker: &'a Picker,
    pub pool: &'a PoolSnapshot,
    pub config: &'a PickerConfig,
    pub request: &'a Request<'a>,
    pub session: KnownSession,
    /// The session's home, where it is live.
    pub home: Option<EndpointId>,
    /// The LoRA adapter that the request names.
    pub adapter: Option<Adapter>,
    pub prompt_tokens: f64,
    pub block_tokens: f64,
}

impl Choices<'_> {
    /// Fills `candidates` with the endpoints that may serve this request.
    ///
    /// A draining endpoint serves the sessions that it has; all others only if nobody else is there, since a
    /// request is worth more than a drain. With `hard` affinity a live home is the only candidate.
    pub fn collect(&self, depths: &[u32], candidates: &mut Vec<Candidate>, now: Instant) {
        candidates.clear();
        let members = || (0u32..).zip(self.pool.members()).filter(|(_, member)| may_serve(member, self.request));
        let is_home = |member: &Member| Some(member.id) == self.home;
        if self.config.sessions.affinity == Affinity::Hard && self.home.is_some() {
            candidates
                .extend(members().filter(|(_, it)| is_home(it)).map(|(at, it)| self.candidate(at, it, depths, now)));
            return;
        }
        candidates
            .extend(members().filter(|(_, it)| self.takes(it)).map(|(at, it)| self.candidate(at, it, depths, now)));
        if candidates.is_empty() {
            candidates.extend(members().map(|(at, it)| self.candidate(at, it, depths, now)));
        }
    }

    /// Whether an endpoint takes requests of this session: a draining one only those that live there.
    fn takes(&self, member: &Member) -> bool {
        !member.endpoint.draining || Some(member.id) == self.home
    }

    /// Why there is no candidate.
    pub fn nobody(&self) -> Refusal {
        let eligible = self.pool.members().iter().any(|member| member.endpoint.is_eligible());
        if eligible { Refusal::Subset } else { Refusal::NoEndpoints }
    }

    /// Refuses where every endpoint that takes this request has too much waiting already.
    pub fn refuse_if_saturated(&self) -> Result<(), Refusal> {
        let Some(limit) = self.config.limits.waiting_tokens_per_endpoint else { return Ok(()) };
        let takers = self.pool.members().iter().filter(|it| may_serve(it, self.request) && self.takes(it));
        // Seconds until the first of them is below the limit.
        let waits = takers.map(|member| {
            let over = member.load.waiting_tokens(self.picker.estimates.uncached_tokens()) - limit as f64;
            over / member.load.prefill_speed()
        });
        let wait = waits.fold(f64::INFINITY, f64::min);
        if wait <= 0.0 || wait.is_infinite() {
            return Ok(());
        }
        Err(Refusal::Saturated { limit, retry_after: Duration::from_secs_f64(wait.min(LONGEST_RETRY_SECONDS)) })
    }

    /// Tokens of the session's context that only its home holds and the prefix index cannot see.
    ///
    /// Where the prompt does not show it, that is the whole context. Else it is the end of the last prompt, which
    /// fills no block, and the last answer, less what other prompts have shown of them, and only while the home still
    /// holds the blocks before. A prompt shorter than the last one does not go on from it: it holds none of this.
    pub fn hidden_tokens(&self, depths: &[u32]) -> f64 {
        let (Some(home), Some(session)) = (self.home, self.session.entry) else { return 0.0 };
        let bytes_per_token = self.picker.estimates.bytes_per_token();
        if self.request.prompt.is_none() || self.is_excerpt() {
            return self.context_tokens();
        }
        let held = self.pool.get(home).map_or(0.0, |member| self.held_tokens(member, depths));
        let last_prompt = session.prompt_tokens(bytes_per_token);
        if self.prompt_tokens < last_prompt || held + self.block_tokens < last_prompt {
            return 0.0;
        }
        let answer = f64::from(session.answer_tokens);
        let shown_nowhere = (last_prompt + answer - held).clamp(0.0, self.block_tokens + answer);
        shown_nowhere.min(self.prompt_tokens - held)
    }

    /// Whether the session has no home, and will have one where this request goes.
    ///
    /// One that got its id just now counts: it comes back with it. A group does not: it is never bound.
    pub fn seeks_home(&self) -> bool {
        let source = self.request.session.source;
        let has_session = self.session.key.is_some() && (source.is_bindable() || source == SessionSource::Generated);
        let binds = has_session && self.config.sessions.affinity != Affinity::Off;
        binds && self.home.is_none() && !self.session.waits_for_home(self.pool)
    }

    /// Whether the prompt is only the end of a conversation that the engine keeps.
    pub fn is_excerpt(&self) -> bool {
        self.request.prompt.is_some_and(|prompt| prompt.unit == Unit::Excerpt)
    }

    /// Tokens that `candidate` computes beside those of the prompt: what an excerpt leaves out and only a home has.
    pub fn unsaid_tokens(&self, candidate: &Candidate) -> f64 {
        if self.is_excerpt() && !candidate.is_home { self.context_tokens() } else { 0.0 }
    }

    /// Length of the session's context once this request is answered, without the answer.
    pub fn session_prompt(&self) -> PromptLength {
        match self.request.prompt.map(|prompt| prompt.unit) {
            Some(Unit::TokenIds) => PromptLength::of_tokens(self.prompt_tokens),
            Some(Unit::Text | Unit::Excerpt) | None => {
                let unsaid = if self.is_excerpt() { self.context_tokens() } else { 0.0 };
                PromptLength::of_bytes((self.prompt_tokens + unsaid) * self.picker.estimates.bytes_per_token())
            }
        }
    }

    fn context_tokens(&self) -> f64 {
        self.session.entry.map_or(0.0, |session| session.context_tokens(self.picker.estimates.bytes_per_token()))
    }

    /// Why `winner` won, in one word.
    pub fn reason(&self, context: &PickContext<'_>, winner: &Candidate) -> Reason {
        let moved = self.session.entry.is_some() && self.home.is_none();
        let uncached = |candidate: &Candidate| candidate.uncached_tokens;
        let most = context.candidates.iter().map(uncached).fold(f64::MIN, f64::max);
        let least = context.candidates.iter().map(uncached).fold(f64::MAX, f64::min);
        if moved && self.session.waits_for_home(self.pool) {
            Reason::Away
        } else if moved {
            Reason::Moved
        } else if winner.is_home {
            Reason::Session
        } else if uncached(winner) < most && uncached(winner) <= least {
            Reason::Prefix
        } else {
            Reason::Load
        }
    }

    fn candidate(&self, place: u32, member: &Member, depths: &[u32], now: Instant) -> Candidate {
        let load = &member.load;
        let estimates = &self.picker.estimates;
        let failing = load.failure_share(now);
        Candidate {
            member: place,
            placement: member.placement,
            weight: member.endpoint.weight,
            waiting_tokens: load.waiting_tokens(estimates.uncached_tokens()),
            in_flight: load.in_flight(),
            // Held blocks are worth as much as the chance that their engine answers.
            uncached_tokens: (self.prompt_tokens - self.held_tokens(member, depths) * (1.0 - failing)).max(0.0),
            is_home: Some(member.id) == self.home,
            is_outdated: member.endpoint.outdated,
            is_parents_home: Some(member.id) == self.session.parent_home,
            lacks_adapter: self.adapter.is_some_and(|adapter| !load.adapters().has(adapter)),
            penalty: if failing > 0.0 { failing * self.worth() } else { 0.0 },
        }
    }

    /// What a whole failure costs: a mean request, or all of the session's context if that is more.
    fn worth(&self) -> f64 {
        let estimates = &self.picker.estimates;
        estimates.pick_cost().max(self.context_tokens())
    }

    /// Tokens of this prompt that the endpoint holds; one that cannot be reached holds nothing for us.
    fn held_tokens(&self, member: &Member, depths: &[u32]) -> f64 {
        if member.load.is_gone() {
            return 0.0;
        }
        let blocks = depths.get(member.id.slot as usize).copied().unwrap_or(0);
        (f64::from(blocks) * self.block_tokens).min(self.prompt_tokens)
    }
}

/// Whether an endpoint is in service and the gateway allows it for this request.
pub(super) fn may_serve(member: &Member, request: &Request<'_>) -> bool {
    member.endpoint.is_eligible() && request.subset.is_none_or(|subset| subset.admits(member.endpoint.address))
}
