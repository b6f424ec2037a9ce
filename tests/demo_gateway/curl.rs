//! The curl lines: what is printed is what was run.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::node::root::quoted;
use crate::sockets::{GATEWAY, HOMING};

/// What one line may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of an answer that are shown, and characters of a line.
const SHOWN: (usize, usize) = (16, 400);

/// Runs each line, and shows it with its answer.
///
/// # Errors
/// One fails, or is answered with something else than 200.
pub async fn run_all(sockets: &Path) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let there = output("command -v curl").await?.status.success();
    let run = if there { "just run from outside of the cluster" } else { "not run, since there is no curl here" };
    writeln!(out, "\nCurl lines, {run}:")?;
    for line in lines(sockets) {
        writeln!(out, "\n  {line}\n")?;
        if there {
            let output = output(&line).await?;
            let answer = String::from_utf8_lossy(&output.stdout);
            let well = output.status.success() && answer.starts_with("HTTP/1.1 200 ");
            let why = String::from_utf8_lossy(&output.stderr);
            ensure!(well, "this line was not answered with 200: {line}\n{answer}{why}");
            write!(out, "{}", shown(&answer))?;
        }
    }
    Ok(())
}

fn lines(sockets: &Path) -> [String; 4] {
    let socket = |name: &str| format!("curl -si --unix-socket {}", word(&sockets.join(name).to_string_lossy()));
    let (gateway, homing) = (socket(GATEWAY), socket(HOMING));
    let chat = "http://gateway/v1/chat/completions";
    let body = r#"'{"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 5}'"#;
    [
        format!("{gateway} {chat} -d {body}"),
        format!("{gateway} {chat} -H 'X-Session-Id: mine' -d {body}"),
        format!("{homing} 'http://homing/decisions?limit=1'"),
        format!("{homing} http://homing/endpoints"),
    ]
}

async fn output(line: &str) -> anyhow::Result<Output> {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).stdin(Stdio::null()).kill_on_drop(true);
    // Ctrl-C in a terminal reaches the whole group; this one is ended by us.
    shell.process_group(0);
    let ended = timeout(PATIENCE, shell.output()).await;
    ended.with_context(|| format!("no answer within {PATIENCE:?}: {line}"))?.context("cannot start a shell")
}

/// The beginning of an answer, moved in.
fn shown(answer: &str) -> String {
    let lines = answer.lines().map(|line| match line.char_indices().nth(SHOWN.1) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    });
    lines.filter(|line| !line.is_empty()).take(SHOWN.0).map(|line| format!("      {line}\n")).collect()
}

/// A word for a shell, and for people.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(plain) { text.to_owned() } else { quoted(text) }
}
