//! A container that runs.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

use super::network::Network;

/// One process and those that it starts; dropping it kills them all.
pub struct Container {
    child: Child,
    pid: Pid,
}

impl Container {
    /// Runs `script` in the pod's network and in mounts of its own; what it says is added to `log`.
    pub fn start(script: &Path, network: &Network, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        // It is the container's own `/dev/stdout`, whoever the container is.
        log.set_permissions(Permissions::from_mode(0o666))?;
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", network.path())).args(["unshare", "--mount", "sh"]).arg(script);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, pid: pid.expect("a process that nobody has waited for has an id") })
    }

    /// Its exit code once it has ended; 128 and the signal's number where a signal ended it.
    pub async fn ended(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        match self.child.wait().await {
            Ok(status) => status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(255),
            Err(error) => panic!("a child can be waited for: {error}"),
        }
    }

    /// The process itself.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let _gone_already = kill_process(self.pid, Signal::TERM);
    }

    /// Kills it and all that it has started.
    pub fn kill(&self) {
        let _gone_already = kill_process_group(self.pid, Signal::KILL);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a pod has said, over all its restarts.
pub fn log(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
