//! `homing explain`: decisions of a running picker, for people and for scripts.

mod client;
mod replicas;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::builder::PossibleValuesParser;

use crate::model::Reason;
use crate::proto::inspect::{Decision, DecisionsRequest, DecisionsResponse};

pub(super) use table::write;

/// Prints decisions of a running picker: what each endpoint would have cost, and why one won.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The picker's admin port.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9004")]
    admin: String,

    /// How many of the last decisions, newest last; the picker remembers 1,024. Filters come first.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    limit: u32,

    /// Goes on with each new decision, until Ctrl-C or the picker's end.
    #[arg(long, short)]
    follow: bool,

    /// Prints the other replicas, as far as they share their state with this one, in lieu of decisions.
    #[arg(long, conflicts_with_all = ["follow", "limit", "endpoint", "reason", "request_id"])]
    replicas: bool,

    /// How decisions are printed.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Only picks of this endpoint.
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,

    /// Only picks for this reason.
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::as_str)))]
    reason: Option<String>,

    /// Only the pick of this request, by the x-request-id of the gateway's access log.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

/// How decisions are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// Tables for people.
    Table,
    /// One JSON object a line, with the fields of the page /decisions.
    Json,
}

/// Prints the newest decisions, and those to come if it is to follow.
///
/// # Errors
/// No picker answers there, or it has gone while it was followed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    let printed = runtime.block_on(async {
        if args.replicas {
            replicas::print(&args.admin, args.output, &mut out).await
        } else {
            print(args, &mut out).await
        }
    });
    match printed {
        // Whoever read it has read enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        printed => printed.map(|()| ExitCode::SUCCESS),
    }
}

/// Asks the picker with this admin port for its last decisions, newest last.
pub(super) async fn fetch(admin: &str, limit: u32) -> anyhow::Result<Vec<Decision>> {
    let mut decisions = client::ask(admin, DecisionsRequest { limit, ..DecisionsRequest::default() }).await?;
    let mut fetched = Vec::new();
    while let Some(DecisionsResponse { decision, .. }) = decisions.next().await? {
        fetched.extend(decision);
    }
    Ok(fetched)
}

async fn print(args: Args, out: &mut impl Write) -> anyhow::Result<()> {
    let Args { admin, limit, follow, output, endpoint, reason, request_id, replicas: _ } = args;
    ensure!(limit > 0 || follow, "no decision asked for: -n 0 is for --follow, which then shows new ones only");
    let filtered = endpoint.is_some() || reason.is_some() || request_id.is_some();
    let request = DecisionsRequest {
        limit,
        follow,
        endpoint: endpoint.unwrap_or_default(),
        reason: reason.unwrap_or_default(),
        request_id: request_id.unwrap_or_default(),
    };
    let mut decisions = client::ask(&admin, request).await?;
    let mut printed = 0_u64;
    while let Some(DecisionsResponse { decision, number: _, missed }) = decisions.next().await? {
        if missed > 0 {
            eprintln!("homing: {missed} decisions were made faster than they could be told");
        }
        let Some(decision) = decision else { continue };
        let written = match output {
            Output::Json => {
                serde_json::to_string(&decision).map_err(Into::into).and_then(|line| writeln!(out, "{line}"))
            }
            Output::Table if follow => table::write_at(&decision, out),
            Output::Table => table::write_ago(&decision, out),
        };
        written.and_then(|()| out.flush()).context("standard output cannot be written")?;
        printed += 1;
    }
    if printed == 0 && output == Output::Table {
        let none = if filtered { "no remembered decision is like that" } else { "no decision yet" };
        writeln!(out, "{none}").context("standard output cannot be written")?;
    }
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
