//! The limit on open files, which thousands of connections need raised.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes sure that this process, and the processes that it starts from now on, may open `needed` files.
pub fn raise(needed: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is no limit.
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let raised = Rlimit { current: Some(needed), maximum };
    setrlimit(Resource::Nofile, raised).unwrap_or_else(|error| {
        let most = maximum.map_or("unlimited".to_owned(), |maximum| maximum.to_string());
        panic!(
            "this test needs {needed} open files, and `ulimit -n` says {} of at most {most} ({error}): raise the hard \
             limit, for example by `ulimit -Hn {needed}` as root, or in /etc/security/limits.conf",
            current.unwrap_or_default(),
        )
    });
}
