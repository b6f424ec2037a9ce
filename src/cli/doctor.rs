//! `homing doctor`: what Homing needs, looked at once, with a fix for whatever is not right.
//!
//! Each file under `checks` is one check: it asks, and a pure function makes findings of the answers.
//! `examination` asks in an order in which a later check can use what an earlier one found.

mod checks;
mod examination;
mod finding;
mod report;
mod termination;

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use self::checks::picker::PickerAddress;
use self::examination::Examination;
use super::shared_state::SharedStateArgs;
use super::source::SourceArgs;

/// What `--help` says of the outcome.
const HELP: &str = "Exits with 0 if there is no failure (warnings may be), with 1 if there is one, with 2 where the \
                    command line is wrong. It changes nothing.";

/// Looks at everything that Homing needs here, and says what to do about what is not right.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// The ConfigMap of --config-map of the picker.
    #[arg(long, value_name = "NAME[/KEY]")]
    config_map: Option<String>,

    /// The file of --config-file of the picker.
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,

    #[command(flatten)]
    shared_state: SharedStateArgs,

    /// The gRPC port of a running picker, as its gateway reaches it.
    #[arg(long, value_name = "HOST:PORT", value_parser = PickerAddress::parse)]
    picker: Option<PickerAddress>,

    /// Whether that port should speak TLS.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    secure_serving: bool,

    /// The folder of --cert-path of the picker.
    #[arg(long, value_name = "FOLDER")]
    cert_path: Option<PathBuf>,

    /// Asks the API server in the name of this user, such as system:serviceaccount:NAMESPACE:NAME.
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,

    /// How long each check may take.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// How findings are printed.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Writes the table there too, failures first and at most 4096 bytes, as Kubernetes takes a termination message.
    #[arg(long, value_name = "FILE")]
    termination_message: Option<PathBuf>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A table for people.
    Table,
    /// One JSON object with `checks`, each with `name`, `status`, `finding` and `fix`.
    Json,
}

/// Prints what it finds; whether there is a failure is in the exit code.
///
/// # Errors
/// What is printed cannot be written, nor the termination message.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        source,
        config_map,
        config_file,
        shared_state,
        picker,
        secure_serving,
        cert_path,
        user,
        timeout,
        output,
        termination_message,
    } = args;
    let namespace = source.namespace();
    let source = source.source();
    let server = shared_state.server(source.is_pool())?;
    let shared_state = server.map(|server| (server, shared_state.group().map(str::to_owned)));
    let examination = Examination {
        source,
        namespace,
        user,
        config_map,
        config_file,
        shared_state,
        picker,
        secure_serving,
        cert_path,
        limit: timeout,
        // The kubelet says so to every container.
        in_cluster: env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let findings = runtime.block_on(examination.run());
    // A name that is still being looked up, though nobody waits for it any more, holds up nothing.
    runtime.shutdown_background();
    let mut out = io::stdout().lock();
    let printed = match output {
        Output::Table => report::table(&findings, &mut out),
        Output::Json => report::json(&findings, &mut out),
    };
    if let Some(path) = termination_message {
        let written = fs::write(&path, termination::message(&findings));
        written.with_context(|| format!("{} cannot be written", path.display()))?;
    }
    match printed {
        // Whoever read it has read enough, as `head` does.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(report::exit_code(&findings)),
    }
}
