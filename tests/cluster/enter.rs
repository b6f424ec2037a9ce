//! Before `main`, this test binary moves into namespaces of its own.

use std::env;
use std::os::unix::process::CommandExt;

use crate::inside;

#[ctor::ctor(unsafe)]
fn enter() {
    // Who lists tests runs none.
    if inside::is_here() || env::args().any(|argument| argument == "--list") {
        return;
    }
    // It returns only where it fails.
    let error = inside::command("the cluster tests", env::args_os()).exec();
    panic!("the cluster tests need a shell: {error}");
}
