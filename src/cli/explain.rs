//! `homing explain`: recent decisions of a running picker, for people.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// More than the picker keeps.
const LARGEST_ANSWER: usize = 16 << 20;
/// A picker on this machine answers at once or not at all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Prints recent decisions of a running picker: what each endpoint would have cost, and why one won.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The picker's admin port.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9004")]
    admin: String,

    /// How many decisions, newest last.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    limit: usize,
}

/// A decision as the admin port tells it; see [`crate::model::Decision`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    unix_millis: u64,
    request_id: Option<String>,
    endpoint: String,
    address: String,
    reason: String,
    session: String,
    model: Option<String>,
    pub(super) prompt_tokens: f64,
    eligible: u32,
    choices: Vec<ToldChoice>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldChoice {
    endpoint: String,
    cost: f64,
    uncached_tokens: f64,
    waiting_tokens: f64,
    in_flight: u32,
    charged: ToldCharges,
    penalty: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldCharges {
    session_affinity: f64,
    prefix_locality: f64,
    queue_depth: f64,
    adapter_locality: f64,
}

/// Prints the newest decisions.
///
/// # Errors
/// No picker answers there, or it answers something else.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { admin, limit } = args;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut told = runtime.block_on(fetch(&admin, limit))?;
    told.reverse();
    write(&told, &mut io::stdout().lock()).context("standard output cannot be written")?;
    Ok(ExitCode::SUCCESS)
}

/// Asks the picker with this admin port for its last decisions, newest first.
pub(super) async fn fetch(admin: &str, limit: usize) -> anyhow::Result<Vec<Told>> {
    let uri: Uri = format!("http://{admin}/decisions?limit={limit}").parse().context("--admin is no HOST:PORT")?;
    let page = tokio::time::timeout(TIMEOUT, get(uri))
        .await
        .map_err(|_| anyhow::anyhow!("it did not answer within {TIMEOUT:?}"))
        .flatten()
        .with_context(|| format!("no picker answers at {admin}; is its --admin-port another?"))?;
    serde_json::from_slice(&page).context("that is no list of decisions")
}

async fn get(uri: Uri) -> anyhow::Result<Bytes> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(uri).await?;
    if response.status() != StatusCode::OK {
        bail!("it answered {}", response.status());
    }
    let body = Limited::new(response.into_body(), LARGEST_ANSWER);
    Ok(body.collect().await.map_err(|error| anyhow::anyhow!(error))?.to_bytes())
}

/// Writes decisions as tables.
pub(super) fn write(decisions: &[Told], to: &mut impl Write) -> io::Result<()> {
    if decisions.is_empty() {
        writeln!(to, "no decision yet")?;
    }
    for decision in decisions {
        let Told {
            unix_millis,
            request_id,
            endpoint,
            address,
            reason,
            session,
            model,
            prompt_tokens,
            eligible,
            choices,
        } = decision;
        let model = model.as_deref().filter(|model| !model.is_empty()).unwrap_or("-");
        writeln!(
            to,
            "{} s ago: picked {endpoint} ({address}) because of {reason}: {prompt_tokens:.0} prompt tokens, model {}, \
             session {session}, {eligible} eligible, request {}",
            since(*unix_millis),
            // A client chose the name: it must not speak to the terminal.
            model.escape_debug(),
            request_id.as_deref().unwrap_or("-")
        )?;
        writeln!(
            to,
            "    {:<20} {:>10} {:>10} {:>10} {:>9} | {:>10} {:>10} {:>10} {:>10} {:>10}",
            "endpoint", "cost", "uncached", "waiting", "in flight", "session", "prefix", "queue", "adapter", "penalty"
        )?;
        for choice in choices {
            let ToldChoice { endpoint, cost, uncached_tokens, waiting_tokens, in_flight, charged, penalty } = choice;
            let ToldCharges { session_affinity, prefix_locality, queue_depth, adapter_locality } = charged;
            writeln!(
                to,
                "    {endpoint:<20} {cost:>10.0} {uncached_tokens:>10.0} {waiting_tokens:>10.0} {in_flight:>9} | \
                 {session_affinity:>10.0} {prefix_locality:>10.0} {queue_depth:>10.0} {adapter_locality:>10.0} {penalty:>10.0}"
            )?;
        }
    }
    Ok(())
}

/// Whole seconds since a moment.
fn since(unix_millis: u64) -> u64 {
    let then = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_millis);
    SystemTime::now().duration_since(then).map_or(0, |time| time.as_secs())
}
