//! The order of things.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use homing::cli::demo::envoy::Listener;
use homing::config::{self, PickerConfig};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::chat::{Asker, Message};
use crate::corpus::Corpus;
use crate::counters::Page;
use crate::model::Model;
use crate::parts::Parts;
use crate::plan::Plan;
use crate::progress::step;
use crate::replica::Replicas;
use crate::report::{CacheRead, Report, Setup};
use crate::stage::{Ports, Stage};
use crate::{arm, claims, decisions, http, load, prediction, tables};

/// Tokens of an answer, in conversations and in the burst.
const ANSWER: u32 = 48;
const BURST_ANSWER: u32 = 200;
/// Bytes of a prompt of the burst.
const BURST_PROMPT: usize = 2000;
/// In this Homing has read every engine once.
const FIRST_SCRAPES: Duration = Duration::from_secs(10);

/// All that runs, and what it is to do.
struct Scene<'a> {
    arguments: &'a Arguments,
    config: PickerConfig,
    model: &'a Model,
    plan: &'a Plan,
    replicas: &'a [SocketAddr],
    ports: Ports,
}

/// Runs everything, prints and writes the report; the exit code says whether all claims hold.
pub async fn run(arguments: Arguments, replicas: &mut Replicas) -> anyhow::Result<ExitCode> {
    let parts = Parts::look()?;
    let config = configuration(arguments.config_file.as_deref())?;
    let output = &arguments.output_dir;
    fs::create_dir_all(output.join("logs")).with_context(|| format!("cannot make {}", output.display()))?;
    let output = fs::canonicalize(output)?;
    let logs = output.join("logs");

    let make = Model::make(&parts.python, arguments.size, output.join("model"));
    let model = step("making the model's folder", make).await?;
    let corpus = Corpus::read(&model.folder)?;
    let plan = Plan::new(&corpus, arguments.seed, arguments.requests as usize, arguments.questions);
    let addresses = match arguments.replicas.as_slice() {
        [] => {
            let start = replicas.start(&parts.python, &model, arguments.blocks, 2, &logs);
            step("starting two vLLM replicas, one to four minutes", start).await?
        }
        running => running.to_vec(),
    };
    let mut stage = Stage::start(&parts, &addresses, arguments.config_file.as_deref(), &logs).await?;
    let ports = stage.ports()?;
    let scene = Scene { arguments: &arguments, config, model: &model, plan: &plan, replicas: &addresses, ports };
    let measured = tokio::select! {
        measured = scene.measure() => measured,
        death = stage.death() => Err(death),
    };
    let mut report = measured.with_context(|| format!("logs are in {}", logs.display()))?;
    report.claims = claims::judge(&report);
    let text = tables::render(&report);
    report.write(&output, &text)?;
    println!("\n{text}\nReport: {}", output.join("report.json").display());
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Scene<'_> {
    /// Both policies, then the burst; the claims are still to be judged.
    async fn measure(&self) -> anyhow::Result<Report> {
        let Self { arguments, config: _, model, plan, replicas, ports } = self;
        self.warm_up().await?;
        let arm = async |listener: Listener, at| {
            let asker = Asker::new(at, model.name, ANSWER, &model.words);
            arm::run(listener.name(), replicas, &asker, plan).await
        };
        let round_robin = arm(Listener::RoundRobin, ports.round_robin).await?;
        let homing = arm(Listener::Homing, ports.homing).await?;

        let decisions = decisions::by_request(ports.admin).await?;
        let requests = prediction::join(&homing.exchanges, &decisions)?;
        let bytes_per_token = ports.metric("homing_bytes_per_token").await?;
        let caches = self.caches(bytes_per_token).await?;
        let asker = Asker::new(replicas[0], model.name, BURST_ANSWER, &model.words);
        let text = &plan.conversations[0].system;
        let text = &text[..text.floor_char_boundary(BURST_PROMPT)];
        let burst = load::burst(replicas[0], "r1", ports.admin, &asker, text);
        let burst = step("a burst past the gateway at one replica", burst).await?;
        let setup = Setup {
            vllm: version(replicas[0]).await?,
            model: model.name,
            questions: arguments.questions,
            seed: arguments.seed,
            requests: arguments.requests,
            bytes_per_token,
        };
        let policies = [round_robin.summary, homing.summary];
        let predictions = prediction::summaries(&requests);
        Ok(Report { setup, policies, predictions, caches, burst, claims: Vec::new(), requests })
    }

    /// Waits until Homing has read every engine's metrics, or has had time enough: the claims tell who was not read.
    /// What an engine does once, it does here, before the clock runs.
    async fn warm_up(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + FIRST_SCRAPES;
        let all_read = |endpoints: Vec<load::Endpoint>| endpoints.iter().all(|it| it.scrape_age.is_some());
        while !all_read(load::endpoints(self.ports.admin).await?) && Instant::now() < deadline {
            sleep(Duration::from_millis(100)).await;
        }
        for replica in self.replicas {
            let messages = [Message { role: "user", content: "Why?".to_owned() }];
            Asker::new(*replica, self.model.name, 2, &self.model.words).ask(None, &messages).await?;
        }
        Ok(())
    }

    async fn caches(&self, bytes_per_token: f64) -> anyhow::Result<Vec<CacheRead>> {
        let mut caches = Vec::new();
        for (endpoint, replica) in load::endpoints(self.ports.admin).await?.into_iter().zip(self.replicas) {
            let told = Page::of(*replica).await?.cache()?;
            let bytes = (told.blocks * told.block_tokens) as f64 * bytes_per_token;
            caches.push(CacheRead {
                endpoint: endpoint.name,
                engine: endpoint.engine,
                told,
                expected_blocks: (bytes / self.config.prefix_index.block_bytes as f64) as u64,
                homing_blocks: endpoint.capacity_blocks,
            });
        }
        Ok(caches)
    }
}

fn configuration(file: Option<&Path>) -> anyhow::Result<PickerConfig> {
    let Some(file) = file else { return Ok(PickerConfig::default()) };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(config::parse(&text).with_context(|| file.display().to_string())?.config)
}

async fn version(replica: SocketAddr) -> anyhow::Result<String> {
    let version: Value = serde_json::from_str(&http::get(replica, "/version").await?)?;
    Ok(version["version"].as_str().unwrap_or("of no version").to_owned())
}
