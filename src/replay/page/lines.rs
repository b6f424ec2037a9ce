//! A chart of lines. Each is told from the others by its colour, its dashes, the shape of its marks and its name at its
//! end, so that nobody needs colours to read it.

use std::fmt::Write;

use super::axis::{Axis, short};
use super::text::Escaped;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
/// The paper inside the axes.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 400.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 252.0;
/// Between two names at the lines' ends.
const NAME_HEIGHT: f64 = 15.0;
/// Colours in the style sheet, dashes and shapes: no two of the first forty lines have all three in common.
pub const COLOURS: usize = 8;
const DASHES: [&str; 3] = ["none", "6 3", "2 3"];
const SHAPES: usize = 5;

/// A chart.
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What is along the lower edge, with its unit.
    pub across: &'a str,
    /// What is along the left edge, with its unit.
    pub up: &'a str,
    /// The axes.
    pub axes: (Axis, Axis),
    /// The lines; a line's place is its style.
    pub lines: Vec<Line<'a>>,
}

/// One line.
pub struct Line<'a> {
    /// Whose it is.
    pub name: &'a str,
    /// Its points from left to right.
    pub points: Vec<(f64, f64)>,
}

impl Chart<'_> {
    /// Writes it as a figure.
    pub fn write(&self, page: &mut String) {
        let Self { title, across, up, .. } = self;
        let title = Escaped(title);
        let _ = write!(
            page,
            "<figure><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">\n"
        );
        self.grid(page);
        let middle = (TOP + BOTTOM) / 2.0;
        let _ = writeln!(page, "<text class=\"name\" x=\"{}\" y=\"292\">{across}</text>", (LEFT + RIGHT) / 2.0);
        let _ = writeln!(
            page,
            "<text class=\"name\" x=\"12\" y=\"{middle}\" transform=\"rotate(-90 12 {middle})\">{up}</text>"
        );
        let places: Vec<Vec<(f64, f64)>> = self.lines.iter().map(|line| self.places(line)).collect();
        let names = spread(places.iter().map(|places| places.last().map_or(middle, |place| place.1)));
        for (style, ((line, places), name_at)) in self.lines.iter().zip(&places).zip(names).enumerate() {
            self.line(page, style, line, places, name_at);
        }
        page.push_str("</svg></figure>\n");
    }

    fn places(&self, line: &Line<'_>) -> Vec<(f64, f64)> {
        let (across, up) = &self.axes;
        let place =
            |(x, y): &(f64, f64)| (LEFT + across.place(*x) * (RIGHT - LEFT), BOTTOM - up.place(*y) * (BOTTOM - TOP));
        line.points.iter().map(place).collect()
    }

    fn grid(&self, page: &mut String) {
        let (across, up) = &self.axes;
        for tick in &up.ticks {
            let y = BOTTOM - up.place(*tick) * (BOTTOM - TOP);
            let _ = writeln!(page, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
            let _ =
                writeln!(page, "<text class=\"up\" x=\"{}\" y=\"{:.1}\">{}</text>", LEFT - 6.0, y + 4.0, short(*tick));
        }
        for tick in &across.ticks {
            let x = LEFT + across.place(*tick) * (RIGHT - LEFT);
            let _ = writeln!(page, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>");
            let _ =
                writeln!(page, "<text class=\"across\" x=\"{x:.1}\" y=\"{}\">{}</text>", BOTTOM + 16.0, short(*tick));
        }
    }

    fn line(&self, page: &mut String, style: usize, line: &Line<'_>, places: &[(f64, f64)], name_at: f64) {
        let name = Escaped(line.name);
        let dash = DASHES[style / COLOURS % DASHES.len()];
        let colour = style % COLOURS;
        let _ = write!(
            page,
            "<g class=\"series c{colour}\" data-policy=\"{name}\"><path class=\"line\" stroke-dasharray=\"{dash}\" d=\""
        );
        for (place, (x, y)) in places.iter().enumerate() {
            let _ = write!(page, "{}{x:.1} {y:.1}", if place == 0 { "M" } else { "L" });
        }
        page.push_str(if places.is_empty() { "M0 0\"/>\n" } else { "\"/>\n" });
        for ((x, y), (across, up)) in places.iter().zip(&line.points) {
            let shape = shape(style);
            let _ = writeln!(
                page,
                "<path class=\"mark\" transform=\"translate({x:.1} {y:.1})\" d=\"{shape}\"><title>{name}: {} at {}</title></path>",
                short(*up),
                short(*across)
            );
        }
        if let Some((x, y)) = places.last() {
            let (mark, text) = (RIGHT + 16.0, RIGHT + 26.0);
            let _ = writeln!(page, "<path class=\"lead\" d=\"M{x:.1} {y:.1}L{:.1} {name_at:.1}\"/>", mark - 6.0);
            let _ = writeln!(
                page,
                "<path class=\"mark\" transform=\"translate({mark} {name_at:.1})\" d=\"{}\"/>",
                shape(style)
            );
            let _ = writeln!(page, "<text x=\"{text}\" y=\"{:.1}\">{name}</text>", name_at + 4.0);
        }
        page.push_str("</g>\n");
    }
}

/// Circle, square, triangle, diamond, cross: around the origin.
fn shape(style: usize) -> &'static str {
    match style % SHAPES {
        0 => "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
        1 => "M-3.5 -3.5H3.5V3.5H-3.5Z",
        2 => "M0 -4.5L4.5 3.5H-4.5Z",
        3 => "M0 -5L5 0L0 5L-5 0Z",
        _ => "M-4.5 -1.5H-1.5V-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5Z",
    }
}

/// Moves names apart that would lie on each other, and keeps their order.
fn spread(wanted: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut places: Vec<(usize, f64)> = wanted.enumerate().collect();
    places.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let gap = NAME_HEIGHT.min((BOTTOM - TOP) / places.len().max(1) as f64);
    let mut lowest = TOP;
    for (_, place) in &mut places {
        *place = place.max(lowest);
        lowest = *place + gap;
    }
    let mut highest = BOTTOM;
    for (_, place) in places.iter_mut().rev() {
        *place = place.min(highest);
        highest = *place - gap;
    }
    places.sort_by_key(|(line, _)| *line);
    places.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_never_lie_on_each_other_and_keep_the_order_of_their_lines(wanted in prop::collection::vec(TOP..BOTTOM, 1..16)) {
            let places = spread(wanted.iter().copied());
            let mut sorted: Vec<(f64, f64)> = wanted.iter().copied().zip(places).collect();
            sorted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            for pair in sorted.windows(2) {
                prop_assert!((pair[1].1 - pair[0].1).abs() > NAME_HEIGHT - 1e-6, "{sorted:?}");
            }
            prop_assert!(sorted.iter().all(|(_, place)| (TOP - 1e-6..=BOTTOM).contains(place)), "{sorted:?}");
        }
    }
}
