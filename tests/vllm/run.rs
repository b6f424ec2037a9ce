//! The order of things.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use homing::cli::demo::envoy::{self, Listener};
use homing::config::{self, PickerConfig};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::chat::{Asker, Message};
use crate::corpus::Corpus;
use crate::counters::Page;
use crate::model::Model;
use crate::plan::Plan;
use crate::progress::step;
use crate::replica::Replicas;
use crate::report::{CacheRead, Report, Setup};
use crate::stage::{Binaries, Stage};
use crate::{arm, claims, decisions, http, load, prediction, tables};

/// Tokens of an answer, in conversations and in the burst.
const ANSWER: u32 = 48;
const BURST_ANSWER: u32 = 200;
/// In this Homing has read every engine once.
const FIRST_SCRAPES: Duration = Duration::from_secs(10);

/// Runs everything, prints and writes the report; the exit code says whether all claims hold.
pub async fn run(arguments: Arguments, replicas: &mut Replicas) -> anyhow::Result<ExitCode> {
    let python = python()?;
    let homing = named("HOMING_BIN", "use make test-vllm")?;
    let envoy = envoy::find(None)?;
    let config = configuration(arguments.config_file.as_deref())?;
    let output = &arguments.output_dir;
    fs::create_dir_all(output.join("logs")).with_context(|| format!("cannot make {}", output.display()))?;
    let output = fs::canonicalize(output)?;
    let logs = output.join("logs");

    let corpus = Corpus::read()?;
    let plan = Plan::new(&corpus, arguments.seed, arguments.requests as usize, arguments.questions);
    let folder = output.join("model");
    let model = step("making the model's folder", Model::make(&python, arguments.size, folder)).await?;
    let addresses = match arguments.replicas.as_slice() {
        [] => {
            let start = replicas.start(&python, &model, arguments.blocks, 2, &logs);
            step("starting two vLLM replicas, one to two minutes", start).await?
        }
        running => running.to_vec(),
    };
    let binaries = Binaries { homing: &homing, envoy: &envoy };
    let mut stage = Stage::start(&binaries, &addresses, arguments.config_file.as_deref(), &logs).await?;
    let shown = async {
        scraped(stage.admin).await?;
        for replica in &addresses {
            // What an engine does once, it does before the clock runs.
            let messages = [Message { role: "user", content: "Why?".to_owned() }];
            Asker::new(*replica, model.name, 2, &model.words).ask(None, &messages).await?;
        }
        let mut arms = Vec::new();
        for listener in [Listener::RoundRobin, Listener::Homing] {
            let asker = Asker::new(stage.listener(listener)?, model.name, ANSWER, &model.words);
            arms.push(arm::run(listener.name(), &addresses, &asker, &plan).await?);
        }
        let decisions = decisions::by_request(stage.admin).await?;
        let requests = prediction::join(&arms[1].exchanges, &decisions, config.scorers.session_affinity.weight)?;
        let bytes_per_token = stage.metric("homing_bytes_per_token").await?;
        let caches = caches(&addresses, stage.admin, bytes_per_token, config.prefix_index.block_bytes).await?;
        let asker = Asker::new(addresses[0], model.name, BURST_ANSWER, &model.words);
        let text = &plan.conversations[0].system[..];
        let text = &text[..text.floor_char_boundary(2000)];
        let burst = step("a burst past the gateway", load::burst(addresses[0], "r1", stage.admin, &asker, text)).await?;
        let [round_robin, through_homing] = <[_; 2]>::try_from(arms).map_err(|_| anyhow::anyhow!("two policies"))?;
        let setup = Setup {
            vllm: version(addresses[0]).await?,
            model: model.name,
            seed: arguments.seed,
            requests: arguments.requests,
            bytes_per_token,
        };
        let predictions = prediction::summaries(&requests);
        let policies = [round_robin.summary, through_homing.summary];
        Ok(Report { setup, policies, predictions, caches, burst, claims: Vec::new(), requests })
    };
    // The stage is borrowed by what runs on it; its parts' last words are in their logs.
    let mut report: Report = shown.await.inspect_err(|_: &anyhow::Error| eprintln!("logs: {}", logs.display()))?;
    drop_stage(&mut stage);
    report.claims = claims::judge(&report);
    let text = tables::render(&report);
    report.write(&output, &text)?;
    println!("\n{text}\nReport: {}", output.join("report.json").display());
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn drop_stage(_stage: &mut Stage) {}

/// The Python that has vLLM.
fn python() -> anyhow::Result<PathBuf> {
    let python = named("HOMING_VLLM", "run scripts/parts/vllm, or use make test-vllm")?;
    Ok(python)
}

/// The file that an environment variable names.
fn named(variable: &str, hint: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os(variable).with_context(|| format!("{variable} is not set: {hint}"))?;
    let path = PathBuf::from(path);
    ensure!(path.is_file(), "{variable}: no {}: {hint}", path.display());
    Ok(path)
}

fn configuration(file: Option<&Path>) -> anyhow::Result<PickerConfig> {
    let Some(file) = file else { return Ok(PickerConfig::default()) };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(config::parse(&text).with_context(|| file.display().to_string())?.config)
}

/// Waits until Homing has read every engine's metrics, or has had time enough: the claims tell who was not read.
async fn scraped(admin: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + FIRST_SCRAPES;
    while Instant::now() < deadline {
        if load::endpoints(admin).await?.iter().all(|endpoint| endpoint.scrape_age.is_some()) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn caches(
    replicas: &[SocketAddr],
    admin: SocketAddr,
    bytes_per_token: f64,
    block_bytes: usize,
) -> anyhow::Result<Vec<CacheRead>> {
    let mut caches = Vec::new();
    for (endpoint, replica) in load::endpoints(admin).await?.into_iter().zip(replicas) {
        let told = Page::of(*replica).await?.cache()?;
        let bytes = (told.blocks * told.block_tokens) as f64 * bytes_per_token;
        caches.push(CacheRead {
            endpoint: endpoint.name,
            engine: endpoint.engine,
            told,
            expected_blocks: (bytes / block_bytes as f64) as u64,
            homing_blocks: endpoint.capacity_blocks,
        });
    }
    Ok(caches)
}

async fn version(replica: SocketAddr) -> anyhow::Result<String> {
    let version: Value = serde_json::from_str(&http::get(replica, "/version").await?)?;
    Ok(version["version"].as_str().unwrap_or("of no version").to_owned())
}
