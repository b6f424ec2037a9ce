use super::*;
use crate::replay::run::Summary;

fn compared(name: &str, rates: &[f64]) -> Compared {
    let point = |rate: &f64| {
        let ttft_s = Ttft { mean: *rate, p50: 0.1 * rate, p90: *rate, p99: 9.0 * rate };
        (*rate, Summary { hit_ratio: 0.1, ttft_s, slo_attainment: 0.9 })
    };
    Compared {
        name: name.to_owned(),
        points: rates.iter().map(point).collect(),
        caches: vec![(300_000, 0.1), (600_000, 0.2)],
        rate: 2.0,
        load: Load::default(),
    }
}

fn page(names: &[&str]) -> String {
    let policies = names.iter().map(|name| compared(name, &[1.0, 2.0])).collect();
    let settings = vec![("seed".to_owned(), "<1>".to_owned())];
    html(&Page { facts: "trace.jsonl, 8 replicas".to_owned(), settings, policies })
}

/// The names of all elements, where each that begins also ends, inside what began before it.
fn elements(html: &str) -> Vec<&str> {
    let mut open = Vec::new();
    let mut all = Vec::new();
    let tags = html.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag ends").0);
    for tag in tags.filter(|tag| !tag.starts_with('!')) {
        let name = tag.trim_matches('/').split_whitespace().next().expect("a name");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            all.push(name);
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    all
}

#[test]
fn every_chart_has_one_series_for_each_policy() {
    let html = page(&["default", "round-robin", "llm-d"]);
    let charts = elements(&html).into_iter().filter(|name| *name == "figure").count();
    // Three percentiles, what was in time, one of caches, and the load of each policy.
    assert_eq!(charts, 3 + 1 + 1 + 3);
    for name in ["default", "round-robin", "llm-d"] {
        assert_eq!(html.matches(&format!("data-policy=\"{name}\"")).count(), 3 + 1 + 1 + 1, "{name}");
    }
}

#[test]
fn a_page_without_any_policy_or_load_parses_too() {
    assert!(elements(&page(&[])).contains(&"svg"));
}

#[test]
fn what_was_not_measured_is_a_dash_and_no_point() {
    let mut policy = compared("default", &[1.0]);
    let nan = f64::NAN;
    let ttft_s = Ttft { mean: nan, p50: nan, p90: nan, p99: nan };
    policy.points.push((2.0, Summary { hit_ratio: nan, ttft_s, slo_attainment: nan }));
    let html = html(&Page { policies: vec![policy], ..Page::default() });
    assert!(!elements(&html).is_empty() && !html.contains("NaN"), "{html}");
    assert_eq!(html.matches("<td>-</td>").count(), 6);
}

#[test]
fn the_settings_are_on_the_page_and_their_values_are_text() {
    assert!(page(&["default"]).contains("<tr><th>seed</th><td>&lt;1&gt;</td></tr>"));
}

#[test]
fn what_people_wrote_is_text() {
    let html = page(&["<script>alert(\"1\")</script>", "a'b&c"]);
    assert!(!elements(&html).contains(&"script"));
    assert!(html.contains("a&#39;b&amp;c"));
}

#[test]
fn nothing_is_asked_of_anybody() {
    let html = page(&["default"]);
    for outside in ["http:", "https:", "//", "href", "src=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn more_policies_than_colours_still_have_looks_of_their_own() {
    let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let html = page(&names);
    let looks = html.lines().filter(|line| line.contains("class=\"series c"));
    let looks: std::collections::HashSet<String> = looks
        .map(|line| {
            line.split(" data-policy").next().unwrap_or_default().to_owned()
                + line.split("dasharray").nth(1).unwrap_or_default().split("d=").next().unwrap_or_default()
        })
        .collect();
    assert_eq!(looks.len(), 20);
}
