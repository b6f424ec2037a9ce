//! Looks for all that is needed, before anything is started.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::chart::helm::helm;
use crate::chart::site::definitions_folder;
use crate::gateway::envoy_gateway::folder;
use crate::kubernetes::control_plane::{crds, program};
use crate::support::envoy;
use crate::support::parts::valkey;

/// Homing's binary, by its whole path.
///
/// # Errors
/// It is not there, or Envoy is not.
///
/// # Panics
/// Where one of the other parts is not there; the words name the script that fetches it.
pub fn look() -> anyhow::Result<PathBuf> {
    let binary = env::var_os("HOMING_BIN").context("HOMING_BIN names no build of homing: use make demo-gateway")?;
    let binary = PathBuf::from(binary);
    let found = fs::canonicalize(&binary);
    let binary = found.with_context(|| format!("no homing at {}: run make demo-gateway", binary.display()))?;
    for name in ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"] {
        program(name);
    }
    let _all = (crds(), definitions_folder(), helm(), folder(), valkey());
    let envoy = envoy::binary(None);
    ensure!(envoy.is_file(), "no Envoy at {}: run scripts/parts/envoy", envoy.display());
    Ok(binary)
}
