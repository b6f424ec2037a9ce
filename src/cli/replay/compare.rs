//! The comparison: each policy with each number of pickers, and how often they tell each other what they know.

use anyhow::Context;

use crate::model::Now;
use crate::replay::change::in_order;
use crate::replay::page::Page;
use crate::replay::report::Row;
use crate::replay::run::Stage;

use super::measure::Plan;
use super::progress::Progress;
use super::settings::{Asked, settings};
use super::sharing::intervals;
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
        copies: usize::from(args.copies),
        survey: &survey,
        constants: args.engines.constants(trace.block_tokens()),
        replicas: usize::from(args.replicas),
        pickers: 1,
        share_every: None,
        scrape: args.scrape,
        sessions_by_prefix: args.sessions_by_prefix,
        warm_up: (survey.requests as f64 * args.warm_up) as u64,
        changes: &changes,
        seed: args.seed,
        base: Now::read(),
    };
    let caches = if args.report.is_some() { args.report_caches } else { Vec::new() };
    let plan = Plan { rates: args.rates, capacity: args.capacity, caches };
    let mut all = Vec::new();
    for spec in &policies {
        for pickers in args.pickers.iter().map(|count| usize::from(*count)) {
            all.extend(intervals(spec, pickers, &args.share_every).into_iter().map(|every| (spec, pickers, every)));
        }
    }
    let mut progress = Progress::new(all.len() * plan.replays());
    let asked = Asked {
        path: &path,
        engines: &args.engines,
        plan: &plan,
        pickers: &args.pickers,
        share_every: &args.share_every,
        policies: &policies,
    };
    let settings = settings(&asked, &stage);
    let page = Page { facts: input::line(&path, &survey), settings, policies: Vec::new() };
    let mut out = Comparison { rows: Vec::new(), page };
    for (spec, pickers, share_every) in all {
        let stage = Stage { pickers, share_every, ..stage };
        if let Some((rows, compared)) = plan.measure(&stage, spec, &mut progress).with_context(unreadable)? {
            out.rows.extend(rows);
            out.page.policies.push(compared);
        }
    }
    progress.finish();
    Ok(out)
}
