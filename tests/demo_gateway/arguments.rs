//! The command line.

use std::path::PathBuf;

use clap::Parser;
use homing::cli::demo::load::Load;

/// Compare round robin and Homing behind a real Envoy Gateway at a real Kubernetes API server, on this machine.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo-gateway")]
pub struct Arguments {
    #[command(flatten)]
    pub load: Load,
    /// Stay up after the curl lines, until Ctrl-C; a terminal means that anyway.
    #[arg(long)]
    pub keep: bool,
    /// Where report.json, the applied objects, the sockets and all logs go.
    #[arg(long, value_name = "DIR", default_value = "target/demo-gateway")]
    pub output_dir: PathBuf,
    /// Where the sockets are; the one outside tells the one within.
    #[arg(long, hide = true)]
    pub sockets: Option<PathBuf>,
}
