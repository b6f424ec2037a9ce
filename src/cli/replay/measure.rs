//! One policy, measured: at each rate or at its capacity, and there with the sizes of caches for the page.

use crate::replay::engine::Constants;
use crate::replay::page::Compared;
use crate::replay::policy::Spec;
use crate::replay::report::Row;
use crate::replay::run::{Failed, Outcome, ReplayError, Stage, Summary, run as replay};
use crate::replay::trace::Survey;
use crate::replay::{Rate, capacity};

use super::progress::Progress;

type Measured<T> = Result<T, ReplayError>;

/// How every policy is measured.
pub struct Plan {
    /// At these rates, of which there is one at least ...
    pub rates: Vec<Rate>,
    /// ... unless the capacity is searched.
    pub capacity: bool,
    /// Cache sizes as multiples.
    pub caches: Vec<f64>,
}

/// A policy at all rates.
struct AtRates {
    rows: Vec<Row>,
    /// By rate: what the page shows, which knows of more rates where the capacity was searched.
    points: Vec<(f64, Summary)>,
    /// The first rate, or the capacity.
    first: Rate,
    /// What came of it there.
    outcome: Outcome,
}

impl Plan {
    /// How many pieces of work one policy takes.
    pub fn replays(&self) -> usize {
        let caches = self.caches.iter().filter(|factor| **factor != 1.0).count();
        if self.capacity { 1 + caches } else { self.rates.len() + caches }
    }

    /// Measures one policy: its rows, and what the page says of it.
    ///
    /// # Errors
    /// The trace cannot be read, or a replay does not end as it must.
    pub fn measure(
        &self,
        stage: &Stage<'_>,
        spec: &Spec,
        progress: &mut Progress,
    ) -> Measured<Option<(Vec<Row>, Compared)>> {
        let measured =
            if self.capacity { Some(search(stage, spec, progress)?) } else { self.at_rates(stage, spec, progress)? };
        let Some(AtRates { rows, points, first, outcome }) = measured else { return Ok(None) };
        lost(&outcome).iter().for_each(|lost| progress.note(&format!("{}: {lost}", spec.name)));
        let caches = self.caches(stage, spec, first, &outcome, progress)?;
        let name = rows.last().map(Row::name).unwrap_or_default();
        let (rate, load) = (per_second(first, stage.survey), outcome.load().clone());
        Ok(Some((rows, Compared { name, points, caches, rate, load })))
    }

    fn at_rates(&self, stage: &Stage<'_>, spec: &Spec, progress: &mut Progress) -> Measured<Option<AtRates>> {
        let (mut rows, mut points, mut first) = (Vec::new(), Vec::new(), None);
        for rate in &self.rates {
            let outcome = at(stage, spec, *rate, &mut progress.begin(format!("{} at {}", spec.name, said(*rate))))?;
            let (rate_per_second, summary) = (per_second(*rate, stage.survey), outcome.summary());
            rows.push(row(stage, spec, None, rate_per_second, summary));
            points.push((rate_per_second, summary));
            first.get_or_insert((*rate, outcome));
        }
        Ok(first.map(|(first, outcome)| AtRates { rows, points, first, outcome }))
    }

    /// Hits by the size of a cache, in tokens.
    fn caches(
        &self,
        stage: &Stage<'_>,
        spec: &Spec,
        rate: Rate,
        outcome: &Outcome,
        progress: &mut Progress,
    ) -> Measured<Vec<(u64, f64)>> {
        let mut caches = Vec::new();
        for factor in &self.caches {
            let cache_tokens = ((stage.constants.cache_tokens as f64 * factor).round() as u64).max(1);
            let hits = if *factor == 1.0 {
                outcome.summary().hit_ratio
            } else {
                let stage = Stage { constants: Constants { cache_tokens, ..stage.constants }, ..*stage };
                let mut tell = progress.begin(format!("{} with {cache_tokens} tokens", spec.name));
                at(&stage, spec, rate, &mut tell)?.summary().hit_ratio
            };
            caches.push((cache_tokens, hits));
        }
        Ok(caches)
    }
}

fn search(stage: &Stage<'_>, spec: &Spec, progress: &mut Progress) -> Measured<AtRates> {
    let mut tell = progress.begin(format!("{}, searching its capacity", spec.name));
    let found = capacity::capacity(stage, &spec.kind, &mut tell)?;
    found.doubts().iter().for_each(|doubt| progress.note(&format!("{}: {doubt}", spec.name)));
    let rows = vec![row(stage, spec, Some(found.per_second()), found.rate, found.outcome.summary())];
    Ok(AtRates { rows, points: found.tried, first: Rate::PerSecond(found.rate), outcome: found.outcome })
}

fn at(stage: &Stage<'_>, spec: &Spec, rate: Rate, tell: &mut dyn FnMut(f64)) -> Measured<Outcome> {
    let requests = stage.survey.requests as f64;
    replay(stage, &spec.kind, rate, None, &mut |arrived| tell(arrived as f64 / requests))
}

/// What became of requests that were not served, a sentence each.
fn lost(outcome: &Outcome) -> Vec<String> {
    let mut lost = Vec::new();
    if outcome.left_out() > 0 {
        lost.push(format!("{} requests are longer than a cache; left out", outcome.left_out()));
    }
    if outcome.turned_away() > 0 {
        lost.push(format!("{} requests were refused", outcome.turned_away()));
    }
    let Failed { unanswered, cut_off } = outcome.lost();
    if unanswered + cut_off > 0 {
        lost.push(format!("{unanswered} requests failed unanswered, {cut_off} in their answer"));
    }
    lost
}

fn row(stage: &Stage<'_>, spec: &Spec, capacity: Option<f64>, rate: f64, summary: Summary) -> Row {
    let pickers = u32::try_from(stage.pickers).unwrap_or(u32::MAX);
    let share_every = stage.share_every.map(|every| every.as_secs_f64());
    Row { policy: spec.name.clone(), pickers, share_every, capacity, rate, summary }
}

/// A rate as it is asked for.
pub fn said(rate: Rate) -> String {
    match rate {
        Rate::Times(times) => format!("{times}x"),
        Rate::PerSecond(rate) => format!("{rate}/s"),
    }
}

/// Requests in a second; 0 where a trace without times is replayed at its own rate, which is all at once.
fn per_second(rate: Rate, survey: &Survey) -> f64 {
    match rate {
        Rate::PerSecond(rate) => rate,
        Rate::Times(times) => survey.rate().map_or(0.0, |own| own * times),
    }
}
