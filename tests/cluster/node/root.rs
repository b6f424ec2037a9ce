//! A container's root folder, and the script that enters it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::VolumeMount;

use super::environment::Environment;
use super::images::Image;
use super::spec::{Facts, User};

/// Folders of this machine that every container has, as nobody could write to them.
const SYSTEM: [&str; 6] = ["bin", "sbin", "lib", "lib64", "usr", "etc/ssl"];
/// The same, as they are.
const DEVICES: [&str; 2] = ["proc", "dev"];

/// A mount in the container.
pub struct Mount {
    pub from: PathBuf,
    pub to: String,
    pub read_only: bool,
}

/// Makes the folder that becomes the container's `/`.
pub fn make(root: &Path, facts: &Facts) -> io::Result<()> {
    for folder in ["etc", "tmp", "var/run", "home", "root"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::set_permissions(root.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
    for name in SYSTEM.into_iter().chain(DEVICES) {
        let (here, there) = (Path::new("/").join(name), root.join(name));
        match fs::read_link(&here) {
            Ok(target) => symlink(target, there)?,
            Err(_) if here.is_dir() => fs::create_dir_all(there)?,
            Err(_) => {}
        }
    }
    let etc = |name: &str, text: &str| fs::write(root.join("etc").join(name), text);
    etc("hostname", &facts.name)?;
    etc("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")?;
    etc("passwd", "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/home:/sbin/nologin\n")?;
    etc("group", "root:x:0:\nnonroot:x:65532:\n")?;
    etc("hosts", "127.0.0.1 localhost\n")
}

/// The script that runs `command`, for a shell that is in the pod's network and in mounts of its own.
pub fn script(
    root: &Path,
    facts: &Facts,
    image: &Image,
    mounts: &[Mount],
    user: User,
    environment: &Environment,
    command: &[String],
) -> io::Result<String> {
    let security = facts.container().security_context.as_ref();
    let read_only = security.and_then(|security| security.read_only_root_filesystem).unwrap_or(false);
    let mut script = "set -e\n".to_owned();
    let mut line = |text: String| writeln!(script, "{text}").expect("a string takes text");
    let at = quoted(&root.to_string_lossy());
    line(format!("mount --bind {at} {at}"));
    let mut bind = |from: &Path, to: &str, read_only: bool| {
        let to = quoted(&root.join(to.trim_start_matches('/')).to_string_lossy());
        line(format!("mount --rbind {} {to}", quoted(&from.to_string_lossy())));
        if read_only {
            line(format!("mount -o remount,bind,ro {to}"));
        }
    };
    // Who is not root cannot write to the machine's folders anyway, and may not remount them either.
    let locked = may_change_users();
    for name in SYSTEM.into_iter().filter(|name| root.join(name).symlink_metadata().is_ok_and(|meta| meta.is_dir())) {
        bind(&Path::new("/").join(name), name, locked);
    }
    for name in DEVICES {
        bind(&Path::new("/").join(name), name, false);
    }
    for (from, to) in &image.files {
        let there = root.join(to.strip_prefix("/").expect("a path in an image is absolute"));
        fs::create_dir_all(there.parent().expect("a file is in a folder"))?;
        fs::write(there, "")?;
        bind(from, &to.to_string_lossy(), false);
    }
    let mut mounts: Vec<&Mount> = mounts.iter().collect();
    mounts.sort_by_key(|mount| mount.to.len());
    for Mount { from, to, read_only } in mounts {
        fs::create_dir_all(root.join(to.trim_start_matches('/')))?;
        bind(from, to, *read_only);
    }
    // Every pod has shared memory of its own; Envoys would trip over each other's.
    line(format!("mount -t tmpfs -o mode=1777 tmpfs {}", quoted(&root.join("dev/shm").to_string_lossy())));
    if read_only {
        line(format!("mount -o remount,bind,ro {at}"));
    }
    let variables = environment.iter().map(|(name, value)| quoted(&format!("{name}={value}")));
    let identity = if may_change_users() {
        format!("--userspec=+{}:+{}{}", user.user, user.group, groups(user))
    } else {
        String::new()
    };
    line(format!(
        "exec setpriv --no-new-privs env -i {} \"$(command -v chroot)\" {identity} {at} {}",
        variables.collect::<Vec<_>>().join(" "),
        command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    ));
    Ok(script)
}

/// The mounts that a container asks for, from the folder of the pod's volumes; it may write to emptyDirs alone.
pub fn mounts(facts: &Facts, volumes: &Path) -> Vec<Mount> {
    let written = |name: &str| {
        let mut all = facts.spec().volumes.iter().flatten();
        all.any(|volume| volume.name == name && volume.empty_dir.is_some())
    };
    let mount = |mount: &VolumeMount| Mount {
        from: volumes.join(&mount.name),
        to: mount.mount_path.clone(),
        read_only: mount.read_only == Some(true) || !written(&mount.name),
    };
    facts.container().volume_mounts.iter().flatten().map(mount).collect()
}

/// Whether a container can be another user than we are; root alone can.
pub fn may_change_users() -> bool {
    static MAY: LazyLock<bool> = LazyLock::new(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        map.split_whitespace().next_back().is_some_and(|length| length != "1")
    });
    *MAY
}

fn groups(user: User) -> String {
    user.files.map_or(String::new(), |group| format!(" --groups=+{group}"))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
