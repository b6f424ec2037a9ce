//! Which processor runs what: the load on the first, the picker on the last, where there are two.

use std::fs;
use std::process::{Command, Stdio};

/// Keeps this process, and the threads it will start, on the first processor. Whether that could be done.
pub fn pin_self() -> bool {
    let Some((first, _)) = processors() else { return false };
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-acp", &first, &pid]).stdout(Stdio::null()).status();
    pinned.is_ok_and(|status| status.success())
}

/// Runs `program` on the last processor, where it then finds one core only and starts one runtime.
pub fn pinned(program: &str) -> Command {
    match processors() {
        Some((_, last)) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &last, program]);
            command
        }
        None => Command::new(program),
    }
}

/// The first and the last of the machine's processors, if there are two and `taskset` to choose with.
///
/// Read from process 1, since this process may be pinned already.
fn processors() -> Option<(String, String)> {
    Command::new("taskset").arg("--version").stdout(Stdio::null()).status().ok()?;
    let status = fs::read_to_string("/proc/1/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let first = list.split([',', '-']).next()?;
    let last = list.rsplit([',', '-']).next()?;
    (first != last).then(|| (first.to_owned(), last.to_owned()))
}
