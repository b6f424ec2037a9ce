//! A container's root folder, and the script that enters it.

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
/// Devices that every container has; the rest of its `/dev` is its own.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Links in `/dev`, and where they lead.
const LINKS: [(&str, &str); 4] = [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")];

/// A mount in the container.
pub struct Mount {
    pub from: PathBuf,
    pub to: String,
    pub read_only: bool,
}

/// The lines of a shell script, with absolute paths.
struct Script(String);

/// Makes the folder that becomes the container's `/`.
pub fn make(root: &Path, facts: &Facts) -> io::Result<()> {
    for folder in ["etc", "tmp", "var/run", "home", "root"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::set_permissions(root.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777))?;
    for name in ["proc", "dev"] {
        fs::create_dir_all(root.join(name))?;
    }
    for name in SYSTEM {
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
    let mut script = Script("set -e\n".to_owned());
    let at = quoted(&root.to_string_lossy());
    script.line(&format!("mount --bind {at} {at}"));
    // Who is not root cannot write to the machine's folders anyway, and may not remount them either.
    let locked = may_change_users();
    for name in SYSTEM.into_iter().filter(|name| root.join(name).symlink_metadata().is_ok_and(|meta| meta.is_dir())) {
        script.bind(&Path::new("/").join(name), &root.join(name), locked);
    }
    script.bind(Path::new("/proc"), &root.join("proc"), false);
    script.devices(&root.join("dev"));
    for (from, to) in &image.files {
        let there = root.join(to.strip_prefix("/").expect("a path in an image is absolute"));
        fs::create_dir_all(there.parent().expect("a file is in a folder"))?;
        fs::write(&there, "")?;
        script.bind(from, &there, false);
    }
    let mut mounts: Vec<&Mount> = mounts.iter().collect();
    mounts.sort_by_key(|mount| mount.to.len());
    for Mount { from, to, read_only } in mounts {
        let there = root.join(to.trim_start_matches('/'));
        script.make(&there, from.is_dir());
        script.bind(from, &there, *read_only);
    }
    if read_only {
        script.line(&format!("mount -o remount,bind,ro {at}"));
    }
    let variables = environment.iter().map(|(name, value)| quoted(&format!("{name}={value}")));
    let identity = if may_change_users() {
        format!("--userspec=+{}:+{}{}", user.user, user.group, groups(user))
    } else {
        String::new()
    };
    script.line(&format!(
        "exec setpriv --no-new-privs env -i {} \"$(command -v chroot)\" {identity} {at} {}",
        variables.collect::<Vec<_>>().join(" "),
        command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    ));
    Ok(script.0)
}

/// The mounts that a container asks for, from the folder of the pod's volumes, and the file for its last words. It may
/// write to that and to emptyDirs alone.
pub fn mounts(facts: &Facts, volumes: &Path, last_words: &Path) -> Vec<Mount> {
    let written = |name: &str| {
        let mut all = facts.spec().volumes.iter().flatten();
        all.any(|volume| volume.name == name && volume.empty_dir.is_some())
    };
    let mount = |mount: &VolumeMount| Mount {
        from: volumes.join(&mount.name),
        to: mount.mount_path.clone(),
        read_only: mount.read_only == Some(true) || !written(&mount.name),
    };
    let container = facts.container();
    let to = container.termination_message_path.clone().unwrap_or_else(|| "/dev/termination-log".to_owned());
    let last_words = Mount { from: last_words.to_owned(), to, read_only: false };
    container.volume_mounts.iter().flatten().map(mount).chain([last_words]).collect()
}

/// Whether a container can be another user than we are; root alone can.
pub fn may_change_users() -> bool {
    static MAY: LazyLock<bool> = LazyLock::new(|| {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        map.split_whitespace().next_back().is_some_and(|length| length != "1")
    });
    *MAY
}

impl Script {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn bind(&mut self, from: &Path, to: &Path, read_only: bool) {
        let [from, to] = [from, to].map(|path| quoted(&path.to_string_lossy()));
        self.line(&format!("mount --rbind {from} {to}"));
        if read_only {
            self.line(&format!("mount -o remount,bind,ro {to}"));
        }
    }

    /// Makes what something can be bound to: a folder, or a file.
    fn make(&mut self, path: &Path, folder: bool) {
        let parent = path.parent().unwrap_or(path).to_string_lossy();
        let path = path.to_string_lossy();
        if folder {
            self.line(&format!("mkdir -p {}", quoted(&path)));
        } else {
            self.line(&format!("mkdir -p {} && : >{}", quoted(&parent), quoted(&path)));
        }
    }

    /// Makes `folder` a `/dev` of the container's own.
    fn devices(&mut self, folder: &Path) {
        let at = |name: &str| quoted(&folder.join(name).to_string_lossy());
        self.line(&format!("mount -t tmpfs -o mode=755 tmpfs {}", quoted(&folder.to_string_lossy())));
        for name in DEVICES {
            self.make(&folder.join(name), false);
            self.bind(&Path::new("/dev").join(name), &folder.join(name), false);
        }
        for (name, end) in LINKS {
            self.line(&format!("ln -s /proc/self/fd{end} {}", at(name)));
        }
        // Shared memory too; Envoys would trip over each other's.
        self.line(&format!("mkdir {}\nmount -t tmpfs -o mode=1777 tmpfs {}", at("shm"), at("shm")));
    }
}

fn groups(user: User) -> String {
    user.files.map_or(String::new(), |group| format!(" --groups=+{group}"))
}

/// One word for a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
