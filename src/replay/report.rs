//! What people and programs read of a comparison.

use serde::Serialize;

use super::Seconds;
use super::run::Summary;

/// One policy in a comparison; as JSON, the fields that are promised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The policy's name.
    pub policy: String,
    /// How many pickers there were.
    pub pickers: u32,
    /// Seconds between two exchanges of what they know; `None` where they share nothing.
    pub share_every: Option<Seconds>,
    /// The highest rate that meets the objective, in requests a second, if that was asked for.
    pub capacity: Option<f64>,
    /// The rate of what follows, in requests a second.
    pub rate: f64,
    /// What came of it.
    #[serde(flatten)]
    pub summary: Summary,
}

impl Row {
    /// The policy's name, and how many pickers it had where they are several.
    pub fn name(&self) -> String {
        match self.pickers {
            1 => self.policy.clone(),
            pickers => format!("{} x {pickers}", self.policy),
        }
    }
}

/// The rows as JSON: an array of objects.
///
/// # Errors
/// None that a number could cause: kept because the serializer's type has them.
pub fn json(rows: &[Row]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(rows)
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> String {
    let with_capacity = rows.iter().any(|row| row.capacity.is_some());
    let widest = rows.iter().map(|row| row.name().chars().count()).chain([6]).max().unwrap_or(6);
    let rate = if with_capacity { "capacity" } else { "rate" };
    let mut table = format!(
        "{:widest$}  {rate:>10}  {:>6}  {:>9}  {:>8}  {:>8}  {:>8}  {:>8}\n",
        "policy", "hits", "TTFT mean", "p50", "p90", "p99", "in time"
    );
    for row in rows {
        let Row { policy: _, rate, capacity, summary, pickers: _, share_every: _ } = row;
        let policy = row.name();
        let Summary { hit_ratio, ttft_s, slo_attainment } = summary;
        // Nobody was there to be counted.
        let none_or = |number: f64, text: String| if number.is_nan() { "-".to_owned() } else { text };
        let share = |share: f64| none_or(share, format!("{:.1} %", share * 100.0));
        let [hits, in_time] = [*hit_ratio, *slo_attainment].map(share);
        let rate = format!("{:.2}/s", capacity.unwrap_or(*rate));
        let [mean, p50, p90, p99] =
            [ttft_s.mean, ttft_s.p50, ttft_s.p90, ttft_s.p99].map(|time| none_or(time, format!("{time:.2} s")));
        table.push_str(&format!(
            "{policy:widest$}  {rate:>10}  {hits:>6}  {mean:>9}  {p50:>8}  {p90:>8}  {p99:>8}  {in_time:>8}\n"
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::run::Ttft;

    fn row(policy: &str, capacity: Option<f64>) -> Row {
        let ttft_s = Ttft { mean: 1.0, p50: 0.5, p90: 2.0, p99: 12.25 };
        let summary = Summary { hit_ratio: 0.169, ttft_s, slo_attainment: 0.9 };
        Row { policy: policy.to_owned(), pickers: 1, share_every: None, capacity, rate: 4.5, summary }
    }

    #[test]
    fn json_has_the_promised_fields_and_no_others() {
        let json: serde_json::Value =
            serde_json::from_str(&json(&[row("default", None)]).expect("JSON")).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!([{
                "policy": "default", "pickers": 1, "share_every": null, "capacity": null, "rate": 4.5,
                "hit_ratio": 0.169, "ttft_s": {"mean": 1.0, "p50": 0.5, "p90": 2.0, "p99": 12.25},
                "slo_attainment": 0.9,
            }])
        );
    }

    #[test]
    fn what_nobody_was_there_for_is_no_number() {
        let nan = f64::NAN;
        let ttft_s = Ttft { mean: nan, p50: nan, p90: nan, p99: nan };
        let summary = Summary { hit_ratio: nan, ttft_s, slo_attainment: nan };
        let rows = [Row { summary, ..row("default", None) }];
        let json: serde_json::Value = serde_json::from_str(&json(&rows).expect("JSON")).expect("JSON");
        assert!(["hit_ratio", "slo_attainment"].iter().all(|field| json[0][field].is_null()), "{json}");
        assert!(json[0]["ttft_s"]["mean"].is_null(), "{json}");
        assert_eq!(table(&rows).matches(" -").count(), 6, "{}", table(&rows));
    }

    #[test]
    fn the_table_has_a_line_a_policy_and_says_which_rate_it_is() {
        let text = table(&[row("default", None), row("a-longer-name", None)]);
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("policy               rate"), "{text}");
        assert!(text.contains("4.50/s  16.9 %     1.00 s    0.50 s    2.00 s   12.25 s    90.0 %"), "{text}");
        assert!(table(&[row("default", Some(4.49))]).starts_with("policy     capacity"));
    }
}
