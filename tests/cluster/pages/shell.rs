//! A terminal in a clone of this repository.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::kubernetes::control_plane::program;

/// What one block may take, on a busy machine: rollouts, drains.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a clone has and the commands need.
const CLONE: [&str; 2] = ["charts", "deploy"];

/// One shell; dropping it ends it and what it has started.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    outcomes: Lines<BufReader<ChildStdout>>,
    blocks: usize,
    folder: TempDir,
}

impl Shell {
    /// One whose `kubectl` and `helm` reach the cluster of this kubeconfig.
    pub fn at(kubeconfig: &Path, helm: &Path) -> Self {
        let folder = clone();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).expect("the folder takes folders");
        symlink(program("kubectl"), programs.join("kubectl")).expect("the folder takes links");
        symlink(helm, programs.join("helm")).expect("the folder takes links");
        let mut command = Command::new("bash");
        // What kubectl learns of a server it keeps, by default in the home of whoever runs the tests.
        command.env("KUBECONFIG", kubeconfig).env("KUBECACHEDIR", folder.path().join("kubectl"));
        Self::start(command, folder, &programs)
    }

    /// One in a network of its own, with the programs that a build and `scripts/parts/envoy` would make.
    pub fn apart(network: &str, homing: &Path, envoy: &Path) -> Self {
        let folder = clone();
        let (release, scripts) = (folder.path().join("target/release"), folder.path().join("scripts/parts"));
        fs::create_dir_all(&release).expect("the folder takes folders");
        symlink(homing, release.join("homing")).expect("the folder takes links");
        fs::create_dir_all(&scripts).expect("the folder takes folders");
        let script = scripts.join("envoy");
        fs::write(&script, format!("#!/bin/sh\necho {}\n", envoy.display())).expect("the folder takes files");
        fs::set_permissions(script, Permissions::from_mode(0o755)).expect("it is ours");
        let mut command = Command::new("nsenter");
        // Envoys that may be restarted share memory by a fixed name.
        let own_memory = "mount -t tmpfs tmpfs /dev/shm && exec bash";
        command.arg(format!("--net={network}")).args(["unshare", "--mount", "sh", "-c", own_memory]);
        Self::start(command, folder, &release)
    }

    fn start(mut command: Command, folder: TempDir, programs: &Path) -> Self {
        let curl = env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|path| path.join("curl").is_file());
        assert!(curl, "the commands of the pages need curl: install the package curl");
        let path = env::join_paths(
            [programs.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
        );
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, folder.path().join("helm"));
        }
        // A proxy of this machine does not know the addresses of a test.
        command.env("PATH", path.expect("a path")).env("no_proxy", "*").env("NO_PROXY", "*");
        command.current_dir(folder.path()).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("bash can be run");
        let input = child.stdin.take().expect("standard input is piped");
        let outcomes = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        Self { child, input, outcomes, blocks: 0, folder }
    }

    /// Runs commands, each of which must succeed; what they print. What they leave running may print more.
    pub async fn run(&mut self, commands: &str) -> String {
        self.blocks += 1;
        let path = |end: &str| self.folder.path().join(format!("block-{}.{end}", self.blocks));
        let (script, printed) = (path("sh"), path("txt"));
        fs::write(&script, commands).expect("the folder takes files");
        let line = format!(
            "set -euo pipefail; . {} </dev/null >{} 2>&1; set +e; echo done\n",
            script.display(),
            printed.display()
        );
        self.input.write_all(line.as_bytes()).await.expect("bash reads");
        let outcome = timeout(PATIENCE, self.outcomes.next_line()).await;
        let printed = fs::read_to_string(printed).unwrap_or_default();
        match outcome {
            Ok(Ok(Some(_done))) => printed,
            Ok(_) => panic!("a command failed:\n{commands}\n{printed}"),
            Err(_) => panic!("it takes longer than {PATIENCE:?}:\n{commands}\n{printed}"),
        }
    }

    /// A file where the commands run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
    }
}

fn clone() -> TempDir {
    let folder = TempDir::new().expect("a folder for temporary files");
    for name in CLONE {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        symlink(here, folder.path().join(name)).expect("the folder takes links");
    }
    folder
}
