//! The other replicas, for people and for scripts.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use super::{Output, client};
use crate::proto::inspect::{Replica, ReplicasResponse, Traffic};

/// Rates are what came in so long.
const SECOND: Duration = Duration::from_secs(1);

/// Prints what the picker with this admin port knows of the others; takes a second, to see what comes and goes in it.
pub async fn print(admin: &str, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    let before = client::replicas(admin).await?;
    let written = match output {
        Output::Json => serde_json::to_string(&before).map_err(Into::into).and_then(|line| writeln!(out, "{line}")),
        Output::Table if !before.is_shared => {
            writeln!(out, "nothing is shared: this picker was started without --shared-state")
        }
        Output::Table => {
            tokio::time::sleep(SECOND).await;
            write!(out, "{}", table(&before, &client::replicas(admin).await?))
        }
    };
    written.context("standard output cannot be written")
}

fn table(before: &ReplicasResponse, now: &ReplicasResponse) -> String {
    let names: Vec<_> = now.replicas.iter().map(|replica| readable(&replica.name)).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let replicas = now.replicas.iter().zip(names);
    let replicas = replicas.map(|(Replica { age_millis, .. }, name)| {
        format!("{name:width$}  heard {:.2} s ago\n", *age_millis as f64 / 1000.0)
    });
    let lag = match (now.lag_p50_millis, now.lag_p99_millis) {
        (Some(half), Some(most)) => format!("known here {half:.0} ms after a pick elsewhere (p99 {most:.0} ms)\n"),
        _ => String::new(),
    };
    format!(
        "shared state: {}\n{}tells {}, hears {}; {} dropped since the start\n{lag}",
        readable(&now.state),
        replicas.collect::<String>(),
        rate(before.sent, now.sent),
        rate(before.received, now.received),
        now.dropped
    )
}

fn rate(before: Option<Traffic>, now: Option<Traffic>) -> String {
    let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
    let messages = now.messages.saturating_sub(before.messages);
    let kilobytes = now.bytes.saturating_sub(before.bytes) as f64 / 1_000.0;
    format!("{messages} messages and {kilobytes:.1} KB a second")
}

/// A name or an error is whatever somebody wrote, and must not speak to the terminal.
fn readable(text: &str) -> String {
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_stand_in_a_column_above_what_comes_and_goes() {
        let replica = |name: &str, age_millis| Replica { name: name.to_owned(), age_millis };
        let traffic = |messages, bytes| Some(Traffic { messages, bytes });
        let before = ReplicasResponse { sent: traffic(10, 1_000), ..ReplicasResponse::default() };
        let now = ReplicasResponse {
            is_shared: true,
            state: "connected, 2 others heard".to_owned(),
            replicas: vec![replica("homing-a", 40), replica("b\u{1b}", 1_234)],
            sent: traffic(30, 3_500),
            received: traffic(2, 100),
            dropped: 7,
            lag_p50_millis: Some(31.4),
            lag_p99_millis: Some(77.0),
        };
        let expected = "shared state: connected, 2 others heard\n\
                        homing-a  heard 0.04 s ago\n\
                        b\\u{1b}   heard 1.23 s ago\n\
                        tells 20 messages and 2.5 KB a second, hears 2 messages and 0.1 KB a second; 7 dropped since the start\n\
                        known here 31 ms after a pick elsewhere (p99 77 ms)\n";
        assert_eq!(table(&before, &now), expected);
    }
}
