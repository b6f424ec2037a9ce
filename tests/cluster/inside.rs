//! Namespaces for a program of its own: network, mounts and processes.
//!
//! There, pods have addresses as in a cluster, every process ends with the program, whatever ends that, and temporary
//! files are gone with it. Root is not needed where users may have namespaces.

use std::env;
use std::ffi::OsString;
use std::process::Command;

/// Control planes have addresses that begin so.
pub const CONTROL_PLANES: [u8; 2] = [10, 96];
/// Pods have addresses that begin so; the first is this side of their wires.
pub const PODS: [u8; 2] = [10, 244];
/// Services of the type LoadBalancer have addresses that begin so.
pub const BALANCERS: [u8; 2] = [10, 245];

/// Set once we are there.
const MARK: &str = "HOMING_TEST_INSIDE";

/// Looks for what is needed, then goes in.
const OUTSIDE: &str = r#"
missing() { echo "$WHO need $1" >&2; exit 1; }
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
for tool in ip:iproute2 unshare:util-linux nsenter:util-linux setpriv:util-linux mount:mount chroot:coreutils; do
    command -v "${tool%:*}" >/dev/null || missing "the command ${tool%:*}: install the package ${tool#*:}"
done
if [ "$(id -u)" = 0 ]; then kinds=-nmpf; else kinds=-Urnmpf; fi
said="$(unshare $kinds --mount-proc true 2>&1)" ||
    missing "namespaces, which this user may not have: run them as root, or allow user namespaces ($said)"
unset WHO
exec unshare $kinds --kill-child --mount-proc sh -c "$INSIDE" sh "$@"
"#;

/// Stays the first process there, so that the binary is a usual one, with signals as usual.
const INSIDE: &str = r#"
set -e
unset INSIDE
ip link set lo up
ip route add local 10.96.0.0/16 dev lo
ip route add local 10.245.0.0/16 dev lo
# Pods reach each other through here.
echo 1 >/proc/sys/net/ipv4/ip_forward
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/tmp
export TMPDIR=/run/tmp
set +e
"$@"
exit $?
"#;

/// Whether this process is there.
pub fn is_here() -> bool {
    env::var_os(MARK).is_some()
}

/// What runs a program there; `who`, many, say what is missing.
pub fn command(who: &str, program: impl IntoIterator<Item = OsString>) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", OUTSIDE, "sh"]).args(program).env(MARK, "1").env("INSIDE", INSIDE).env("WHO", who);
    shell
}
