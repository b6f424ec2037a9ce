//! How many requests each engine had, over time, in no more room for a long replay than for a short one.

use crate::replay::Seconds;

/// Spans of time at most: where they do not reach, each two become one.
const SPANS: usize = 128;
/// The first length of a span.
const SPAN: Seconds = 1.0;

/// Requests in flight of each engine, as means over spans of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    span: Seconds,
    ended: Seconds,
    engines: Vec<Curve>,
}

/// One engine.
#[derive(Clone, Debug, Default, PartialEq)]
struct Curve {
    in_flight: usize,
    since: Seconds,
    /// Requests times seconds, by span.
    areas: Vec<f64>,
}

impl Default for Load {
    fn default() -> Self {
        Self { span: SPAN, ended: 0.0, engines: Vec::new() }
    }
}

impl Load {
    /// From now on this engine has so many requests. Engines are numbered from 0.
    pub(super) fn set(&mut self, engine: usize, in_flight: usize, now: Seconds) {
        if engine >= self.engines.len() {
            self.engines.resize_with(engine + 1, Curve::default);
        }
        while now > self.span * SPANS as f64 {
            self.span *= 2.0;
            self.engines.iter_mut().for_each(Curve::halve);
        }
        self.ended = self.ended.max(now);
        self.engines[engine].set(in_flight, now, self.span);
    }

    /// The length of one span.
    pub fn span(&self) -> Seconds {
        self.span
    }

    /// When the last request ended.
    pub fn ended(&self) -> Seconds {
        self.ended
    }

    /// The mean of requests in flight in each span up to the end, for each engine.
    pub fn means(&self) -> Vec<Vec<f64>> {
        let spans = (self.ended / self.span).ceil() as usize;
        let width = |place: usize| (self.ended - place as f64 * self.span).min(self.span);
        let mean = |curve: &Curve, place| curve.areas.get(place).copied().unwrap_or(0.0) / width(place);
        self.engines.iter().map(|curve| (0..spans).map(|place| mean(curve, place)).collect()).collect()
    }
}

impl Curve {
    fn set(&mut self, in_flight: usize, now: Seconds, span: Seconds) {
        let count = self.in_flight as f64;
        let mut from = std::mem::replace(&mut self.since, now);
        self.in_flight = in_flight;
        let mut place = (from / span) as usize;
        while count > 0.0 && from < now {
            let to = ((place + 1) as f64 * span).min(now);
            if place >= self.areas.len() {
                self.areas.resize(place + 1, 0.0);
            }
            self.areas[place] += count * (to - from).max(0.0);
            (from, place) = (to, place + 1);
        }
    }

    fn halve(&mut self) {
        self.areas = self.areas.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_mean_over_its_time() {
        let mut load = Load::default();
        load.set(0, 2, 0.5);
        load.set(1, 1, 1.0);
        load.set(0, 0, 2.25);
        load.set(1, 0, 2.5);
        assert_eq!(load.means(), [vec![1.0, 2.0, 1.0], vec![0.0, 1.0, 1.0]]);
    }

    #[test]
    fn a_long_replay_takes_no_more_room_and_loses_nothing() {
        let mut load = Load::default();
        for step in 0..10_000 {
            load.set(0, step % 3, step as f64 * 1.5);
        }
        let means = load.means();
        assert!((SPANS / 2..=SPANS).contains(&means[0].len()), "{}", means[0].len());
        let last = load.ended() - (means[0].len() - 1) as f64 * load.span();
        let (end, whole) = means[0].split_last().expect("spans");
        let area = whole.iter().sum::<f64>() * load.span() + end * last;
        assert!((area - 9_999.0 * 1.5).abs() < 1.0, "{area}");
    }

    #[test]
    fn nothing_has_no_load() {
        assert!(Load::default().means().is_empty());
    }
}
