//! The comparison: each policy, each number of pickers, each rate, and the sizes of caches for the page.

use std::path::Path;

use anyhow::Context;

use crate::model::Now;
use crate::replay::change::in_order;
use crate::replay::engine::Constants;
use crate::replay::page::{Compared, Page};
use crate::replay::policy::Spec;
use crate::replay::report::Row;
use crate::replay::run::{Failed, Outcome, Stage, Summary, run as replay};
use crate::replay::trace::{Survey, TraceError};
use crate::replay::{Rate, capacity};

use super::progress::Progress;
use super::{Args, asked, input};

/// What is compared where nothing is said.
const POLICIES: [&str; 4] = ["default", "round-robin", "llm-d", "pooled-cache"];

/// What came of a comparison.
pub struct Comparison {
    /// By policy, pickers and rate.
    pub rows: Vec<Row>,
    /// The same and more, for a browser.
    pub page: Page,
}

type Measured<T> = Result<T, TraceError>;

/// How a policy is measured.
struct Plan {
    rates: Vec<Rate>,
    capacity: bool,
    /// Cache sizes as multiples.
    caches: Vec<f64>,
}

/// Replays what the flags ask for.
///
/// # Errors
/// The trace cannot be read, or what is asked for cannot be.
pub fn compare(mut args: Args) -> anyhow::Result<Comparison> {
    let (trace, survey) = input::open(&args)?;
    let mut policies = std::mem::take(&mut args.policies);
    if policies.is_empty() {
        policies = POLICIES.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    }
    asked::check(&args, &policies, &trace, &survey)?;
    let path = args.trace;
    let unreadable = || path.display().to_string();
    eprintln!("{}", input::line(&path, &survey));
    let pace = if args.capacity { None } else { asked::note(&args.rates, &survey) };
    survey.notes.iter().chain(&pace).for_each(|note| eprintln!("note: {note}"));
    let changes =
        in_order(args.changes, usize::from(args.replicas)).map_err(|error| anyhow::anyhow!("--event: {error}"))?;
    let stage = Stage {
        trace: &trace,
        survey: &survey,
        constants: args.engines.constants(trace.block_tokens()),
        replicas: usize::from(args.replicas),
        pickers: 1,
        scrape: args.scrape,
        sessions_by_prefix: args.sessions_by_prefix,
        warm_up: (survey.requests as f64 * args.warm_up) as u64,
        changes: &changes,
        seed: args.seed,
        base: Now::read(),
    };
    let caches = if args.report.is_some() { args.report_caches } else { Vec::new() };
    let plan = Plan { rates: args.rates, capacity: args.capacity, caches };
    let all: Vec<_> = policies.iter().flat_map(|spec| args.pickers.iter().map(move |count| (spec, *count))).collect();
    let mut progress = Progress::new(all.len() * plan.replays());
    let page = Page { facts: facts(&path, &stage), policies: Vec::new() };
    let mut out = Comparison { rows: Vec::new(), page };
    for (spec, pickers) in all {
        let stage = Stage { pickers: usize::from(pickers), ..stage };
        plan.measure(&stage, spec, &mut progress, &mut out).with_context(unreadable)?;
    }
    progress.finish();
    Ok(out)
}

impl Plan {
    /// How many bars of progress one policy takes.
    fn replays(&self) -> usize {
        let caches = self.caches.iter().filter(|factor| **factor != 1.0).count();
        if self.capacity { 1 + caches } else { self.rates.len() + caches }
    }

    fn measure(&self, stage: &Stage<'_>, spec: &Spec, progress: &mut Progress, out: &mut Comparison) -> Measured<()> {
        let mut tell = progress.begin(&spec.name);
        let mut points = Vec::new();
        let mut first = None;
        if self.capacity {
            let found = capacity::capacity(stage, &spec.kind, &mut tell)?;
            out.rows.push(row(stage, spec, Some(found.rate), found.rate, found.outcome.summary()));
            let rate = if found.rate > 0.0 { found.rate } else { found.tried.first().map_or(0.0, |(rate, _)| *rate) };
            (points, first) = (found.tried, Some((Rate::PerSecond(rate), found.outcome)));
        } else {
            for (place, rate) in self.rates.iter().enumerate() {
                if place > 0 {
                    tell = progress.begin(&spec.name);
                }
                let outcome = Self::replay(stage, spec, *rate, &mut tell)?;
                let (rate_per_second, summary) = (per_second(*rate, stage.survey), outcome.summary());
                out.rows.push(row(stage, spec, None, rate_per_second, summary));
                points.push((rate_per_second, summary));
                first.get_or_insert((*rate, outcome));
            }
        }
        let Some((rate, outcome)) = first else { return Ok(()) };
        if outcome.left_out() > 0 {
            progress.note(&format!("{}: {} requests are longer than a cache; left out", spec.name, outcome.left_out()));
        }
        let lost = outcome.lost();
        if lost != Failed::default() {
            let Failed { unanswered, cut_off } = lost;
            progress
                .note(&format!("{}: {unanswered} requests failed unanswered, {cut_off} in their answer", spec.name));
        }
        let mut caches = Vec::new();
        for factor in &self.caches {
            let cache_tokens = tokens(stage.constants.cache_tokens, *factor);
            let hits = if *factor == 1.0 {
                outcome.summary().hit_ratio
            } else {
                let stage = Stage { constants: Constants { cache_tokens, ..stage.constants }, ..*stage };
                let mut tell = progress.begin(&format!("{}, {cache_tokens} tokens", spec.name));
                Self::replay(&stage, spec, rate, &mut tell)?.summary().hit_ratio
            };
            caches.push((cache_tokens, hits));
        }
        let name = out.rows.last().map(Row::name).unwrap_or_default();
        let (rate, load) = (per_second(rate, stage.survey), outcome.load().clone());
        out.page.policies.push(Compared { name, points, caches, rate, load });
        Ok(())
    }

    fn replay(stage: &Stage<'_>, spec: &Spec, rate: Rate, tell: &mut dyn FnMut(f64)) -> Measured<Outcome> {
        let requests = stage.survey.requests as f64;
        replay(stage, &spec.kind, rate, None, &mut |arrived| tell(arrived as f64 / requests))
    }
}

/// What the page says of the whole.
fn facts(path: &Path, stage: &Stage<'_>) -> String {
    let Stage { survey, replicas, seed, .. } = stage;
    let [input, output] = input::means(survey);
    format!(
        "{}: {} requests, {input} tokens in and {output} out on average; {replicas} replicas with a cache of {} tokens \
         each; seed {seed}{}.",
        path.display(),
        survey.requests,
        stage.constants.cache_tokens,
        stage.changes.iter().map(|change| format!("; {change}")).collect::<String>()
    )
}

/// So many times as many, but at least 1.
fn tokens(tokens: u64, factor: f64) -> u64 {
    ((tokens as f64 * factor).round() as u64).max(1)
}

fn row(stage: &Stage<'_>, spec: &Spec, capacity: Option<f64>, rate: f64, summary: Summary) -> Row {
    let pickers = u32::try_from(stage.pickers).unwrap_or(u32::MAX);
    Row { policy: spec.name.clone(), pickers, share_every: None, capacity, rate, summary }
}

/// Requests in a second; 0 where a trace without times is replayed at its own rate, which is all at once.
fn per_second(rate: Rate, survey: &Survey) -> f64 {
    match rate {
        Rate::PerSecond(rate) => rate,
        Rate::Times(times) => survey.rate().map_or(0.0, |own| own * times),
    }
}
