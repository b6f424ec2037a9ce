//! vLLM replicas: processes in groups of their own, which end with this program.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use rustix::thread::sched_getaffinity;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::http;
use crate::model::Model;

/// Two at once took 30 s on an idle machine and 227 s on one of two cores that others use; most of it is imports.
const START: Duration = Duration::from_secs(600);
/// What SIGTERM gives them; two took 2.5 s.
const GRACE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

/// Keeps everything on loopback, and asks nobody on the internet.
const ENVIRONMENT: [(&str, &str); 10] = [
    ("HF_HUB_OFFLINE", "1"),
    ("TRANSFORMERS_OFFLINE", "1"),
    ("VLLM_NO_USAGE_STATS", "1"),
    ("DO_NOT_TRACK", "1"),
    ("VLLM_HOST_IP", "127.0.0.1"),
    ("VLLM_LOOPBACK_IP", "127.0.0.1"),
    ("GLOO_SOCKET_IFNAME", "lo"),
    ("OMP_NUM_THREADS", "1"),
    ("PYTHONHASHSEED", "0"),
    // Has /reset_prefix_cache.
    ("VLLM_SERVER_DEV_MODE", "1"),
];

const FLAGS: &str = "--load-format dummy --dtype bfloat16 --host 127.0.0.1 --max-model-len 8192 --max-num-seqs 16 \
                     --block-size 32 --kv-cache-memory-bytes 1073741824 --enable-prefix-caching \
                     --enable-prompt-tokens-details --enforce-eager";

/// All that were started; their owner calls [`stop`](Self::stop).
#[derive(Default)]
pub struct Replicas(Vec<Replica>);

struct Replica {
    name: String,
    address: SocketAddr,
    log: PathBuf,
    child: Child,
    group: Pid,
}

// === impl Replicas ===

impl Replicas {
    /// Starts `count` at once, and waits until all serve.
    pub async fn start(
        &mut self,
        python: &Path,
        model: &Model,
        blocks: u32,
        count: usize,
        logs: &Path,
    ) -> anyhow::Result<Vec<SocketAddr>> {
        for number in 1..=count {
            self.0.push(Replica::start(python, model, blocks, number, logs)?);
        }
        let deadline = Instant::now() + START;
        for replica in &mut self.0 {
            replica.serves(deadline).await?;
        }
        Ok(self.0.iter().map(|replica| replica.address).collect())
    }

    /// Ends them, and all that they have started.
    pub async fn stop(&mut self) {
        for replica in &self.0 {
            replica.signal(Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        for replica in &mut self.0 {
            // Reaps it; the others of its group are not ours to wait for.
            while replica.child.try_wait().is_ok_and(|status| status.is_none()) || replica.has_members() {
                if Instant::now() > deadline {
                    break;
                }
                sleep(LOOK).await;
            }
        }
        // Whoever is left is killed by the drop.
        self.0.clear();
    }
}

// === impl Replica ===

impl Replica {
    fn start(python: &Path, model: &Model, blocks: u32, number: usize, logs: &Path) -> anyhow::Result<Self> {
        let name = format!("vllm-{number}");
        let home = logs.join(&name);
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let address = free_address()?;
        let mut command = Command::new(python);
        command.args(["-m", "vllm.entrypoints.openai.api_server"]).args(FLAGS.split_ascii_whitespace());
        command.arg("--model").arg(&model.folder).args(["--served-model-name", model.name]);
        command.args(["--port", &address.port().to_string(), "--num-gpu-blocks-override", &blocks.to_string()]);
        command.envs(ENVIRONMENT).env("HOME", &home).env("VLLM_CACHE_ROOT", home.join("cache"));
        command.env("VLLM_CPU_OMP_THREADS_BIND", core(number).to_string());
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // Its engine and its workers are processes of their own in the same group.
        let child = command.process_group(0).spawn().with_context(|| format!("cannot start {}", python.display()))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("it has no process id")?;
        Ok(Self { name, address, log, child, group: pid })
    }

    async fn serves(&mut self, deadline: Instant) -> anyhow::Result<()> {
        while http::get(self.address, "/health").await.is_err() {
            let Self { name, log, .. } = self;
            let log = log.display();
            if let Some(status) = self.child.try_wait()? {
                bail!("{name} ended with {status} before it served; see {log}");
            }
            if Instant::now() > deadline {
                bail!("{name} does not serve after {START:?}; see {log}");
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn has_members(&self) -> bool {
        test_kill_process_group(self.group).is_ok()
    }

    fn signal(&self, signal: Signal) {
        let _nobody_left = kill_process_group(self.group, signal);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // The group's number is nobody else's while one of it is left.
        if self.has_members() {
            self.signal(Signal::KILL);
        }
    }
}

/// A port that was free a moment ago: vLLM does not say which it took, so it has to be told one.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?)
}

/// A core for this replica's computing, of those that we may use.
fn core(number: usize) -> usize {
    let Ok(allowed) = sched_getaffinity(None) else { return 0 };
    let cores: Vec<usize> = (0..1024).filter(|core| allowed.is_set(*core)).collect();
    cores.get((number - 1) % cores.len().max(1)).copied().unwrap_or(0)
}
