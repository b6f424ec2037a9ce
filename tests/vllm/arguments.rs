//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde::Serialize;

/// Compare round robin and Homing on two real vLLM replicas on this machine's CPU, and check what Homing predicts.
#[derive(Clone, Debug, Parser)]
#[command(name = "test-vllm")]
pub struct Arguments {
    /// Seed of the workload; the same seed asks the same in the same order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Requests of each policy; predictions count from the 101st on.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(150..=1000))]
    pub requests: u32,
    /// The model: mini prefills some 8,000 tokens a second and core, small some 1,700.
    #[arg(long, value_enum, default_value_t = Size::Mini)]
    pub size: Size,
    /// How much is asked in each turn.
    #[arg(long, value_enum, default_value_t = Questions::Mixed)]
    pub questions: Questions,
    /// KV blocks of each replica, of 32 tokens; vLLM keeps one for itself.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(256..=16384))]
    pub blocks: u32,
    /// Homing's configuration; default: its defaults.
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Two replicas that run already, in the place of those that are started. They must serve the model of the output folder,
    /// with VLLM_SERVER_DEV_MODE=1.
    #[arg(long, value_name = "IP:PORT", value_delimiter = ',')]
    pub replicas: Vec<SocketAddr>,
    /// After this all ends and has failed.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = humantime::parse_duration)]
    pub limit: Duration,
    /// Where the report, the model and all logs go.
    #[arg(long, value_name = "DIR", default_value = "target/vllm")]
    pub output_dir: PathBuf,
}

/// Sizes of the model, as `model.py` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    Mini,
    Small,
}

/// What a question brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Questions {
    /// A sentence or two, 60 to 400 bytes.
    Short,
    /// A page of text or code, 400 to 1,500 bytes.
    Long,
    /// One conversation has short ones, the next has long ones.
    Mixed,
}

// === impl Size ===

impl Size {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mini => "mini",
            Self::Small => "small",
        }
    }
}
