//! The other replicas, for people and for scripts.

use std::io::Write;

use anyhow::Context;

use super::{Output, client};
use crate::proto::inspect::{Replica, ReplicasResponse};

/// Prints what the picker with this admin port knows of the others.
pub async fn print(admin: &str, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    let said = client::replicas(admin).await?;
    let written = match output {
        Output::Json => serde_json::to_string(&said).map_err(Into::into).and_then(|line| writeln!(out, "{line}")),
        Output::Table => write!(out, "{}", table(&said)),
    };
    written.context("standard output cannot be written")
}

fn table(said: &ReplicasResponse) -> String {
    if !said.is_shared {
        return "nothing is shared: this picker was started without --shared-state\n".to_owned();
    }
    let width = said.replicas.iter().map(|replica| replica.name.len()).max().unwrap_or_default();
    let line = |Replica { name, age_millis }: &Replica| {
        // A name is whatever somebody writes into the log, and must not speak to the terminal.
        format!("{:width$}  heard {:.2} s ago\n", name.escape_debug().to_string(), *age_millis as f64 / 1000.0)
    };
    let lines: String = said.replicas.iter().map(line).collect();
    format!("shared state: {}\n{lines}", said.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_stand_in_a_column_and_nothing_shared_is_said() {
        let replica = |name: &str, age_millis| Replica { name: name.to_owned(), age_millis };
        let replicas = vec![replica("homing-a", 40), replica("b\u{1b}", 1_234)];
        let said = ReplicasResponse { is_shared: true, state: "connected, 2 others heard".to_owned(), replicas };
        let expected =
            "shared state: connected, 2 others heard\nhoming-a  heard 0.04 s ago\nb\\u{1b}   heard 1.23 s ago\n";
        assert_eq!(table(&said), expected);
        assert!(table(&ReplicasResponse::default()).starts_with("nothing is shared"));
    }
}
