//! `homing engine`: a simulated engine, so that anybody can try a gateway without a GPU.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::logging::{self, LogFormat};
use crate::simulation::{Constants, EngineServer, Identity};

/// Run a simulated engine: the APIs of vLLM and SGLang, a block-level prefix cache, prefill and decode time.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// Port to listen on; 0 lets the system choose, the log says which.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The engine's name, in every answer's `x-served-by`.
    #[arg(long, default_value = "engine")]
    name: String,
    /// The one model that it serves.
    #[arg(long, default_value = "simulated")]
    model: String,
    /// Tokens that its KV cache holds.
    #[arg(long, value_name = "TOKENS", default_value_t = 48_000)]
    cache_tokens: u64,
    /// Tokens in one KV block.
    #[arg(long, value_name = "TOKENS", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..))]
    block_tokens: u64,
    /// Uncached prompt tokens computed in a second, one request at a time.
    #[arg(long, value_name = "TOKENS", default_value = "10000", value_parser = positive)]
    prefill_tokens_per_second: f64,
    /// Time between two tokens of one answer.
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = humantime::parse_duration)]
    decode_step: Duration,
    /// Bytes of prompt that count as one token.
    #[arg(long, value_name = "BYTES", default_value_t = 4, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    bytes_per_token: usize,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Runs the engine until SIGTERM or Ctrl-C.
///
/// # Errors
/// When the port cannot be had.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        bind,
        port,
        name,
        model,
        cache_tokens,
        block_tokens,
        prefill_tokens_per_second,
        decode_step,
        bytes_per_token,
        log_format,
    } = args;
    logging::init(log_format)?;
    let constants = Constants { cache_tokens, block_tokens, prefill_tokens_per_second, decode_step, bytes_per_token };
    let address = SocketAddr::new(bind, port);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tracing::info!(port_name = "http", %address, name, model, "listening");
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping once running answers have ended");
        };
        EngineServer::new(Identity { name, model }, constants).serve(listener, stop).await;
        Ok(ExitCode::SUCCESS)
    })
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}
