//! Load over time: a row an engine, a column a span of time, and the darker the more requests it had.

use std::fmt::Write;

use crate::replay::run::Load;

use super::axis::{Axis, short};
use super::text::Escaped;

const WIDTH: f64 = 560.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 545.0;
const TOP: f64 = 4.0;
/// All rows together are no higher than this ...
const ROWS: f64 = 320.0;
/// ... and one is no higher than this.
const ROW: f64 = 16.0;
/// Shades that one can tell from the next.
const SHADES: f64 = 20.0;

/// Writes the load of one policy as a figure. `most` is what is darkest.
pub fn write(page: &mut String, name: &str, heading: &str, load: &Load, most: f64) {
    let means = load.means();
    let row = (ROWS / means.len().max(1) as f64).min(ROW);
    let bottom = TOP + row * means.len() as f64;
    let time = Axis::from_zero([load.ended()].into_iter());
    // The axis ends where the load ends, not at the next round number.
    let end = load.ended().max(f64::MIN_POSITIVE);
    let place = |at: f64| LEFT + (at / end).min(1.0) * (RIGHT - LEFT);
    let (name, heading) = (Escaped(name), Escaped(heading));
    let _ = writeln!(
        page,
        "<figure><figcaption>{name}: {heading}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {:.1}\" role=\"img\" aria-label=\"\
         Load of each replica over time under {name}: {heading}\">\n<g class=\"series load\" data-policy=\"{name}\">",
        bottom + 40.0
    );
    let every = (12.0 / row).ceil().max(1.0) as usize;
    for (engine, spans) in means.iter().enumerate() {
        let y = TOP + row * engine as f64;
        let _ = writeln!(page, "<path class=\"track\" d=\"M{LEFT} {y:.1}H{RIGHT}V{:.1}H{LEFT}Z\"/>", y + row - 1.0);
        if engine % every == 0 {
            let _ = writeln!(
                page,
                "<text class=\"up\" x=\"{}\" y=\"{:.1}\">r{engine}</text>",
                LEFT - 6.0,
                y + row / 2.0 + 4.0
            );
        }
        for (from, to, shade) in runs(spans, most) {
            let [x, until] = [from, to].map(|span| place(span as f64 * load.span()));
            let _ = writeln!(
                page,
                "<path fill-opacity=\"{shade:.2}\" d=\"M{x:.1} {y:.1}H{until:.1}V{:.1}H{x:.1}Z\"/>",
                y + row - 1.0
            );
        }
    }
    page.push_str("</g>\n");
    for tick in time.ticks.iter().filter(|tick| **tick <= end) {
        let _ = writeln!(
            page,
            "<text class=\"across\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            place(*tick),
            bottom + 16.0,
            short(*tick)
        );
    }
    let _ = writeln!(
        page,
        "<text class=\"name\" x=\"{}\" y=\"{:.1}\">time (s)</text>\n</svg></figure>",
        (LEFT + RIGHT) / 2.0,
        bottom + 34.0
    );
}

/// Writes what the shades mean.
pub fn write_legend(page: &mut String, most: f64) {
    page.push_str("<p class=\"legend\">Requests in flight, running and waiting, as means over time: ");
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = write!(
            page,
            "<svg class=\"key\" viewBox=\"0 0 24 14\" aria-hidden=\"true\"><path class=\"track\" d=\"M0 0H24V14H0Z\"/><path class=\"load\" \
             fill-opacity=\"{share}\" d=\"M0 0H24V14H0Z\"/></svg> {} ",
            short(most * share)
        );
    }
    page.push_str("</p>\n");
}

/// Spans with one shade, joined: from, to (not included), shade from 0 to 1. What has none is left out.
fn runs(spans: &[f64], most: f64) -> Vec<(usize, usize, f64)> {
    let shade = |mean: f64| ((mean / most.max(f64::MIN_POSITIVE)).min(1.0) * SHADES).round() / SHADES;
    let mut runs: Vec<(usize, usize, f64)> = Vec::new();
    for (place, mean) in spans.iter().enumerate() {
        match runs.last_mut() {
            Some((_, to, same)) if *same == shade(*mean) => *to = place + 1,
            _ => runs.push((place, place + 1, shade(*mean))),
        }
    }
    runs.retain(|(_, _, shade)| *shade > 0.0);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_one_shade_are_one_and_empty_ones_none() {
        assert_eq!(runs(&[0.0, 4.0, 4.01, 8.0, 0.0, 16.0], 8.0), [(1, 3, 0.5), (3, 4, 1.0), (5, 6, 1.0)]);
        assert_eq!(runs(&[0.0], 0.0), []);
    }
}
