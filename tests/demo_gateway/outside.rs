//! The program that a person starts: it stays where the person is.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::arguments::Arguments;
use crate::curl;
use crate::inside;
use crate::parts;
use crate::sockets::Sockets;
use crate::within::READY;

/// What the other one has to end in, once it is told; then it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// The signals that end the demo.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// Runs the demo.
///
/// # Errors
/// What is missing, or has gone wrong, with what to do about it.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let homing = parts::look()?;
    let output = &arguments.output_dir;
    fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
    let output = fs::canonicalize(output)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let sockets = Sockets::new(&output)?;
        let words = env::args_os().chain(["--sockets".into(), sockets.folder.clone().into()]);
        let mut within: Command = inside::command("the parts of the demo", words).into();
        within.env("HOMING_BIN", homing).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C in a terminal reaches the whole group; the other one ends when its input does.
        let mut within = within.process_group(0).spawn().context("cannot start a shell")?;
        let mut shown = false;
        let ended = tokio::select! {
            // A signal before what it may have broken.
            biased;
            code = signals.any() => Ok(ExitCode::from(if shown { 0 } else { code })),
            ended = show(&mut within, &sockets, arguments.keep, &mut shown) => ended,
        };
        end(within).await;
        ended
    })
}

/// Passes on what the other one says; once all is ready, runs the curl lines.
async fn show(within: &mut Child, sockets: &Sockets, keep: bool, shown: &mut bool) -> anyhow::Result<ExitCode> {
    let said = within.stdout.take().context("the output is piped")?;
    let mut lines = BufReader::new(said).lines();
    while let Some(line) = lines.next_line().await? {
        if line == READY {
            curl::run_all(&sockets.folder).await?;
            *shown = true;
            if !keep && !io::stdout().is_terminal() {
                return Ok(ExitCode::SUCCESS);
            }
            writeln!(io::stdout(), "\nStill running; Ctrl-C ends it.")?;
        } else {
            writeln!(io::stdout(), "{line}")?;
        }
    }
    let status = within.wait().await?;
    if *shown {
        bail!("what runs within ended with {status}");
    }
    // It has told why.
    Ok(ExitCode::FAILURE)
}

/// Ends the other one, and with it everything that it has started.
async fn end(mut within: Child) {
    drop(within.stdin.take());
    if timeout(GRACE, within.wait()).await.is_err() {
        let _gone_already = within.kill().await;
    }
}

// === impl Signals ===

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them; the exit code that says so.
    async fn any(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            _ = self.hang_up.recv() => 129,
        }
    }
}
