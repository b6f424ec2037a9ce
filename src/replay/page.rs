//! A comparison as a page for a browser: one file, with its charts in it, that asks nobody for anything.
//!
//! ```text
//!   lines   time to first token and what was in time against rate, hits against cache size
//!   heat    load per replica over time
//!   axis    where a number is, and which are written      text    what people wrote, made safe
//! ```
//!
//! [`html`] is the entry. The page is well-formed as XML too, and every number in a chart is in a table below as well.

mod axis;
mod heat;
mod lines;
mod text;

use std::fmt::Write;

use super::Seconds;
use super::run::{Load, Summary, Ttft};

use axis::{Axis, short};
use lines::{Chart, Line};
use text::Escaped;

const STYLE: &str = include_str!("page/style.css");

/// What a page says.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The trace, in one line.
    pub facts: String,
    /// What was asked for: names and values.
    pub settings: Vec<(String, String)>,
    /// The policies, in the order in which they were asked for.
    pub policies: Vec<Compared>,
}

/// What was measured of one policy.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What came of it, by rate: requests in a second.
    pub points: Vec<(f64, Summary)>,
    /// Share of prompts' tokens found in caches, 0 to 1, by the size of one engine's cache in tokens.
    pub caches: Vec<(u64, f64)>,
    /// At which rate the sizes of caches were tried, and the load below was: requests in a second.
    pub rate: f64,
    /// The engines' load over time.
    pub load: Load,
}

/// One of the times to first token, and its name.
type Percentile = (&'static str, fn(&Ttft) -> Seconds);

const PERCENTILES: [Percentile; 3] = [("p50", |ttft| ttft.p50), ("p90", |ttft| ttft.p90), ("p99", |ttft| ttft.p99)];

/// What the words mean.
const TERMS: &str = "<dl>\
<dt>hits</dt><dd>share of the prompts' tokens that engines found in their caches</dd>\n\
<dt>TTFT</dt><dd>time to first token; p90 is what one request in ten exceeds</dd>\n\
<dt>in time</dt><dd>share of requests whose first token came within 1 s + 2 x the time that their prompt takes on an idle \
engine with an empty cache</dd>\n\
<dt>capacity</dt><dd>the highest rate at which 90 % are in time</dd>\n\
<dt>pooled-cache, infinite-cache</dt><dd>bounds: one cache of the size of all, one that never forgets</dd></dl>\n";

/// The page.
pub fn html(page: &Page) -> String {
    let Page { facts, settings, policies } = page;
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>homing replay</title>\n\
         <style>\n{STYLE}</style></head>\n<body><h1>homing replay</h1>\n<p class=\"facts\">{}</p>\n",
        Escaped(facts)
    );
    html.push_str(TERMS);
    ttft_charts(&mut html, policies);
    in_time_chart(&mut html, policies);
    cache_chart(&mut html, policies);
    load_charts(&mut html, policies);
    rate_table(&mut html, policies);
    settings_table(&mut html, settings);
    html.push_str("</body></html>\n");
    html
}

fn ttft_charts(html: &mut String, policies: &[Compared]) {
    html.push_str("<h2>Time to first token against rate</h2>\n<div class=\"charts\">\n");
    let points = || policies.iter().flat_map(|policy| &policy.points);
    let up = Axis::log(points().flat_map(|(_, summary)| PERCENTILES.map(|(_, of)| of(&summary.ttft_s))));
    let across = Axis::from_zero(points().map(|(rate, _)| *rate));
    for (name, of) in PERCENTILES {
        let line = |policy: &'_ Compared| {
            let points = policy.points.iter().map(|(rate, summary)| (*rate, of(&summary.ttft_s)));
            let mut points: Vec<_> = points.filter(|(_, time)| time.is_finite()).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        Chart {
            title: &format!("Time to first token, {name}"),
            across: "requests in a second",
            up: "seconds, log scale",
            axes: (across.clone(), up.clone()),
            lines: policies.iter().map(|policy| Line { name: &policy.name, points: line(policy) }).collect(),
        }
        .write(html);
    }
    html.push_str("</div>\n");
}

fn in_time_chart(html: &mut String, policies: &[Compared]) {
    html.push_str("<h2>In time against rate</h2>\n<div class=\"charts\">\n");
    let line = |policy: &Compared| {
        let points = policy.points.iter().map(|(rate, summary)| (*rate, summary.slo_attainment * 100.0));
        let mut points: Vec<_> = points.filter(|(_, share)| share.is_finite()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let rates = policies.iter().flat_map(|policy| &policy.points).map(|(rate, _)| *rate);
    Chart {
        title: "Requests whose first token was in time",
        across: "requests in a second",
        up: "%",
        axes: (Axis::from_zero(rates), Axis::from_zero(std::iter::once(100.0))),
        lines: policies.iter().map(|policy| Line { name: &policy.name, points: line(policy) }).collect(),
    }
    .write(html);
    html.push_str("</div>\n");
}

fn cache_chart(html: &mut String, policies: &[Compared]) {
    html.push_str("<h2>Hit ratio against cache size</h2>\n<div class=\"charts\">\n");
    let all = || policies.iter().flat_map(|policy| &policy.caches);
    let line = |policy: &Compared| {
        let mut points: Vec<_> = policy.caches.iter().map(|(tokens, hits)| (*tokens as f64, hits * 100.0)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    Chart {
        title: "Tokens of prompts found in caches",
        across: "tokens that one replica's cache holds, log scale",
        up: "%",
        axes: (Axis::at(all().map(|(tokens, _)| *tokens as f64)), Axis::from_zero(all().map(|(_, hits)| hits * 100.0))),
        lines: policies.iter().map(|policy| Line { name: &policy.name, points: line(policy) }).collect(),
    }
    .write(html);
    html.push_str("</div>\n<p class=\"note\">At these rates: ");
    for policy in policies {
        let _ = write!(html, "{} {}/s. ", Escaped(&policy.name), short(policy.rate));
    }
    html.push_str("</p>\n");
}

fn load_charts(html: &mut String, policies: &[Compared]) {
    html.push_str("<h2>Load per replica over time</h2>\n");
    let highest = |load: &Load| load.means().into_iter().flatten().fold(0.0, f64::max);
    let most = policies.iter().map(|policy| highest(&policy.load)).fold(0.0, f64::max);
    heat::write_legend(html, most);
    html.push_str("<div class=\"charts\">\n");
    for Compared { name, load, rate, .. } in policies {
        let heading = format!("at most {} at one replica, at {}/s", short(highest(load)), short(*rate));
        heat::write(html, name, &heading, load, most);
    }
    html.push_str("</div>\n");
}

fn rate_table(html: &mut String, policies: &[Compared]) {
    html.push_str(
        "<h2>Numbers</h2>\n<div class=\"scroll\"><table><thead><tr><th>policy</th><th>rate</th><th>hits</th>\
         <th>TTFT mean</th><th>p50</th><th>p90</th><th>p99</th><th>in time</th></tr></thead><tbody>\n",
    );
    for policy in policies {
        for (rate, summary) in &policy.points {
            let ttft = summary.ttft_s;
            let _ = write!(html, "<tr><th>{}</th><td>{rate:.2}/s</td>", Escaped(&policy.name));
            let _ = write!(html, "<td>{}</td>", written(summary.hit_ratio * 100.0, 1, "%"));
            for time in [ttft.mean, ttft.p50, ttft.p90, ttft.p99] {
                let _ = write!(html, "<td>{}</td>", written(time, 2, "s"));
            }
            let _ = writeln!(html, "<td>{}</td></tr>", written(summary.slo_attainment * 100.0, 1, "%"));
        }
    }
    html.push_str("</tbody></table></div>\n");
    cache_table(html, policies);
}

/// A number with its unit; a dash where there is none.
fn written(number: f64, digits: usize, unit: &str) -> String {
    if number.is_finite() { format!("{number:.digits$} {unit}") } else { "-".to_owned() }
}

fn settings_table(html: &mut String, settings: &[(String, String)]) {
    html.push_str("<h2>Settings</h2>\n<table class=\"settings\"><tbody>\n");
    for (name, value) in settings {
        let _ = writeln!(html, "<tr><th>{}</th><td>{}</td></tr>", Escaped(name), Escaped(value));
    }
    html.push_str("</tbody></table>\n");
}

fn cache_table(html: &mut String, policies: &[Compared]) {
    html.push_str("<div class=\"scroll\"><table><thead><tr><th>policy</th><th>cache (tokens)</th><th>hits</th></tr></thead><tbody>\n");
    for Compared { name, caches, .. } in policies {
        for (tokens, hits) in caches {
            let _ =
                writeln!(html, "<tr><th>{}</th><td>{tokens}</td><td>{:.1} %</td></tr>", Escaped(name), hits * 100.0);
        }
    }
    html.push_str("</tbody></table></div>\n");
}

#[cfg(test)]
mod tests;
