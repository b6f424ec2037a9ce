//! What another process has spent and holds, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

/// Clock ticks a second in `/proc/<pid>/stat`; the same on every Linux that Rust supports.
const TICKS: u64 = 100;

/// CPU time of all its threads, user and system: by the scheduler's nanoseconds, else by ticks of 10 ms.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let process = format!("/proc/{pid}");
    let mut nanos = 0;
    for task in fs::read_dir(format!("{process}/task")).context("the process has ended")? {
        let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else { return ticks(&process) };
        nanos += stat.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    if nanos == 0 { ticks(&process) } else { Ok(Duration::from_nanos(nanos)) }
}

/// Bytes that it holds in memory, and the most that it ever held.
pub fn resident(pid: u32) -> anyhow::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let bytes = |field: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    };
    Ok((bytes("VmRSS:")?, bytes("VmHWM:")?))
}

/// Fields 14 and 15 of the process's `stat`, counted behind the name, which may hold anything.
fn ticks(process: &str) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
    let spent: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
    Ok(Duration::from_millis(spent * 1_000 / TICKS))
}
