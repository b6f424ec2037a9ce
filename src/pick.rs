//! One request, from its facts to an explained decision.
//!
//! [`Picker::pick`] is the only place where `routing` and `state` meet; `ext_proc` calls it, and
//! simulations that replay traffic call the very same. What follows a pick (who served, first byte, end)
//! goes through the [`Picked`] that it returns.

mod candidates;
mod explain;
mod picked;
mod prediction;
mod reports;
mod session;
mod sharing;
mod view;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use crate::config::{Affinity, ConfigReader, PickerConfig};
use crate::metrics::Metrics;
use crate::model::{Decision, Now, Prompt, Reason, Request, TOKEN_ID_BYTES, Unit};
use crate::routing::{Candidate, Pick, PickContext, Scored, Scorers, picker};
use crate::state::{
    Booking, Chain, DecisionLog, Estimates, KnownAdapters, Member, Outbox, PoolReader, PoolSnapshot, PrefixIndex,
    PrefixScratch, SessionDigest, Sessions, hash_prompt,
};

use session::{KnownSession, is_bound};

pub use picked::{Detached, Head, Origin, Picked, Usage};
pub use sharing::{Replica, Told};
pub use view::EndpointView;

/// Decisions kept for `homing explain`.
const REMEMBERED_DECISIONS: usize = 1024;

/// Makes decisions; shared by all streams.
#[derive(Debug)]
pub struct Picker {
    pool: PoolReader,
    config: ConfigReader,
    profile: ArcSwap<Profile>,
    index: Arc<PrefixIndex>,
    sessions: Sessions,
    /// What other replicas are to be told; `None` where there are none.
    outbox: Option<Arc<Outbox>>,
    digest: ArcSwap<SessionDigest>,
    estimates: Estimates,
    adapters: KnownAdapters,
    log: DecisionLog,
    metrics: Arc<Metrics>,
    /// Spreads requests that have neither session nor prefix.
    anonymous: AtomicU64,
    /// How many endpoints a destination names at most.
    max_endpoints: usize,
}

/// A configuration with its scorers built.
#[derive(Debug)]
struct Profile {
    config: Arc<PickerConfig>,
    scorers: Scorers,
}

/// Why there is no pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No endpoint is eligible: 503.
    #[error("no endpoint of the pool is ready")]
    NoEndpoints,
    /// None of those that the gateway allows is eligible: 503.
    #[error("no endpoint of the gateway's subset is ready")]
    Subset,
    /// All are above `limits.waitingTokensPerEndpoint`: 429.
    #[error("every endpoint has more than {limit} tokens waiting (limits.waitingTokensPerEndpoint)")]
    Saturated {
        /// The limit.
        limit: u64,
        /// When the first of them should be below it.
        retry_after: Duration,
    },
}

/// Room that every pick of a thread uses again.
#[derive(Default)]
struct Scratch {
    chain: Chain,
    depths: Vec<u32>,
    prefix: PrefixScratch,
    candidates: Vec<Candidate>,
    scored: Vec<Scored>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Picker {
    /// A picker over `pool` that follows `config`; `pool_name` is what its replicas share.
    pub fn new(
        pool: PoolReader,
        config: ConfigReader,
        index: Arc<PrefixIndex>,
        metrics: Arc<Metrics>,
        pool_name: &str,
        now: Instant,
    ) -> Self {
        let current = config.load().clone();
        let estimates = Estimates::new(current.prefix_index.bytes_per_token);
        let profile = Profile { scorers: Scorers::new(&current.scorers), config: current };
        Self {
            pool,
            config,
            profile: ArcSwap::from_pointee(profile),
            index,
            sessions: Sessions::new(now),
            outbox: None,
            digest: ArcSwap::from_pointee(SessionDigest::derived_from(pool_name)),
            estimates,
            adapters: KnownAdapters::default(),
            log: DecisionLog::new(REMEMBERED_DECISIONS),
            metrics,
            anonymous: AtomicU64::new(0),
            max_endpoints: 1,
        }
    }

    /// Names up to `count` endpoints in each destination, at most [`EXPLAINED`](crate::model::EXPLAINED): the pick,
    /// then where to retry.
    #[must_use]
    pub fn with_max_endpoints(self, count: usize) -> Self {
        Self { max_endpoints: count, ..self }
    }

    /// Names what the replicas of this picker share, where it was not known before. Sessions that came under
    /// another name are not found any more.
    pub fn rename_pool(&self, pool_name: &str) {
        self.digest.store(Arc::new(SessionDigest::derived_from(pool_name)));
    }

    /// The configuration in force.
    pub fn config(&self) -> Guard<Arc<PickerConfig>> {
        self.config.load()
    }

    /// The handles that it counts with.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Bytes of prompt that make one token, as learned.
    pub fn bytes_per_token(&self) -> f64 {
        self.estimates.bytes_per_token()
    }

    /// The last decisions.
    pub fn decisions(&self) -> &DecisionLog {
        &self.log
    }

    /// Whether the body of this request could change its pick.
    pub fn needs_body(&self, request: &Request<'_>, now: Now) -> bool {
        let profile = self.profile();
        let held = profile.config.sessions.affinity == Affinity::Hard
            && self
                .known_session(&profile.config, request, now.instant)
                .live_home(&self.pool.load(), request)
                .is_some();
        profile.scorers.read_bodies(self.adapters.any()) && !held
    }

    /// Whether no endpoint may serve this request, whatever its body says.
    pub fn has_nobody_for(&self, request: &Request<'_>) -> bool {
        !self.pool.load().members().iter().any(|member| candidates::may_serve(member, request))
    }

    /// Picks an endpoint for `request`, books it there and remembers why.
    ///
    /// # Errors
    /// Nothing is eligible, or everything is saturated; no other failure refuses a request.
    pub fn pick(self: &Arc<Self>, request: &Request<'_>, now: Now) -> Result<Picked, Refusal> {
        SCRATCH.with_borrow_mut(|scratch| self.pick_with(scratch, request, now))
    }

    fn pick_with(self: &Arc<Self>, scratch: &mut Scratch, request: &Request<'_>, now: Now) -> Result<Picked, Refusal> {
        let profile = self.profile();
        let config = &profile.config;
        let pool = self.pool.load();
        let session = self.known_session(config, request, now.instant);
        if self.contained(|| self.overlap(scratch, request, config, pool.slots())).is_none() {
            // Nobody holds anything, as far as is known.
            scratch.chain.clear();
            scratch.depths.fill(0);
        }
        let prompt_tokens = self.prompt_tokens(request, config);
        let block_tokens = config.prefix_index.block_bytes as f64 / self.bytes_per_token_of(request);
        let home = session.live_home(&pool, request);
        let adapter = request.prompt.and_then(|prompt| self.adapters.find(prompt.model));
        let choices = candidates::Choices {
            picker: self,
            pool: &pool,
            config,
            request,
            session,
            home,
            adapter,
            prompt_tokens,
            block_tokens,
        };
        choices.collect(&scratch.depths, &mut scratch.candidates, now.instant);
        if scratch.candidates.is_empty() {
            return Err(choices.nobody());
        }
        choices.refuse_if_saturated()?;
        let context = PickContext {
            candidates: &scratch.candidates,
            hidden_tokens: choices.hidden_tokens(&scratch.depths),
            seeks_home: choices.seeks_home(),
            block_tokens,
            tie_key: self.tie_key(session.key, &scratch.chain),
        };
        let (pick, fell_back) = self.schedule(&profile.scorers, &context, &mut scratch.scored);
        let Some(winner) = pick.and_then(|pick| pick.best[0]) else { return Err(Refusal::NoEndpoints) };
        let candidate = context.candidates[winner.candidate];
        let member = &pool.members()[candidate.member as usize];
        let reason = if fell_back { Reason::Fallback } else { choices.reason(&context, &candidate) };
        let decision = Arc::new(
            explain::Explained { choices: &choices, context: &context, pick: pick.as_ref(), reason, now }
                .decision(member),
        );

        let computed = choices.prediction(&candidate, context.hidden_tokens, now.instant).computed;
        let matched = scratch.depths.get(member.id.slot as usize).map_or(0, |depth| *depth as usize);
        let capacity = member.lane.capacity_blocks(&config.prefix_index, self.estimates.bytes_per_token());
        let credit = self.contained(|| self.credit(member, &scratch.chain, capacity, now));
        self.count(request, &decision, prompt_tokens, computed, winner.charges.sum());
        self.log.push(Arc::clone(&decision));
        let adapter_is_new = member.load.picked(adapter);
        let booking = Booking::new(member, computed, candidate.waiting_tokens, now.instant);
        Ok(Picked::new(
            Arc::clone(self),
            decision,
            self.destination(&pool, &context, pick.as_ref(), member),
            booking,
            picked::Facts {
                // A generated id is not stored until a client sends it back.
                session: session.key.filter(|_| is_bound(config, request)),
                ends: request.session.ends,
                old_home: session.entry.map(|entry| entry.home),
                chain: scratch.chain.as_slice().into(),
                matched,
                credit: credit.unwrap_or_default(),
                adapter,
                adapter_is_new,
                prompt_bytes: request.prompt.filter(Prompt::is_telling).map(|prompt| prompt.len(0)),
                session_prompt: choices.session_prompt(),
                is_excerpt: choices.is_excerpt(),
                streams: request.prompt.is_some_and(|prompt| prompt.streams),
            },
        ))
    }

    /// Scores, and falls back to load alone if scoring panics.
    fn schedule(&self, scorers: &Scorers, context: &PickContext<'_>, scored: &mut Vec<Scored>) -> (Option<Pick>, bool) {
        match self.contained(|| picker::pick(scorers, context, scored)) {
            Some(pick) => (pick, false),
            None => (picker::least_loaded(context), true),
        }
    }

    /// Runs a part of scheduling; a panic in it is counted and costs that part, never the request.
    fn contained<T>(&self, part: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(part))
            .inspect_err(|_| {
                self.metrics.panics.inc();
                tracing::error!("a part of scheduling panicked; the request goes on without it");
            })
            .ok()
    }

    /// Hashes the prompt, and finds how much of it each endpoint holds.
    fn overlap(&self, scratch: &mut Scratch, request: &Request<'_>, config: &PickerConfig, slots: usize) {
        scratch.chain.clear();
        scratch.depths.clear();
        scratch.depths.resize(slots, 0);
        if let Some(prompt) = &request.prompt {
            let settings = &config.prefix_index;
            hash_prompt(prompt, settings.block_bytes, settings.media_bytes(), &mut scratch.chain);
            self.index.depths(&scratch.chain, &mut scratch.depths, &mut scratch.prefix);
        }
    }

    /// Tokens of the prompt: by its bytes, else by the body's, else the pool's mean; never 0.
    ///
    /// An unread body is only announced, by a client: it counts for no more than a cache can hold.
    fn prompt_tokens(&self, request: &Request<'_>, config: &PickerConfig) -> f64 {
        let tokens = |bytes: f64| (bytes / self.bytes_per_token_of(request)).max(1.0);
        match (&request.prompt, request.unread_bytes) {
            (Some(prompt), _) => tokens(prompt.len(config.prefix_index.media_bytes()) as f64),
            (None, Some(bytes)) => tokens(bytes as f64).min(config.prefix_index.default_cache_tokens as f64),
            (None, None) => self.estimates.prompt_tokens().max(1.0),
        }
    }

    /// Bytes of this request's prompt that make one token: known of token ids, learned of text.
    fn bytes_per_token_of(&self, request: &Request<'_>) -> f64 {
        match request.prompt.map(|prompt| prompt.unit) {
            Some(Unit::TokenIds) => TOKEN_ID_BYTES as f64,
            Some(Unit::Text | Unit::Excerpt) | None => self.estimates.bytes_per_token(),
        }
    }

    /// The destination header's value: the winner's address, and those to retry at if the gateway takes a list.
    fn destination(
        &self,
        pool: &PoolSnapshot,
        context: &PickContext<'_>,
        pick: Option<&Pick>,
        winner: &Member,
    ) -> Arc<str> {
        if self.max_endpoints <= 1 {
            return Arc::clone(&winner.destination);
        }
        let best = pick.iter().flat_map(|pick| pick.best.iter().flatten());
        let members = best.map(|scored| &pool.members()[context.candidates[scored.candidate].member as usize]);
        let reachable = members.filter(|member| member.id == winner.id || !member.load.is_gone());
        let list: Vec<&str> = reachable.take(self.max_endpoints).map(|member| &*member.destination).collect();
        list.join(",").into()
    }

    fn count(&self, request: &Request<'_>, decision: &Decision, prompt_tokens: f64, computed: f64, cost: f64) {
        let metrics = &self.metrics;
        metrics.picks.of(decision.reason).inc();
        metrics.sessions.of(request.session.source).inc();
        if request.prompt.is_some() {
            metrics.prompt_tokens.inc_by(prompt_tokens);
            metrics.matched_tokens.inc_by((prompt_tokens - computed).max(0.0));
            self.estimates.picked(prompt_tokens, computed, cost);
        }
    }

    /// The scorers of the configuration in force, built again when it changed.
    fn profile(&self) -> Arc<Profile> {
        let config = self.config.load();
        let profile = self.profile.load();
        if Arc::ptr_eq(&profile.config, &config) {
            return Arc::clone(&profile);
        }
        let built = Arc::new(Profile { scorers: Scorers::new(&config.scorers), config: Arc::clone(&config) });
        self.profile.store(Arc::clone(&built));
        built
    }
}

#[cfg(test)]
mod tests;
