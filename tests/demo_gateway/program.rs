//! `make demo-gateway`: what `make demo` compares, behind a real Envoy Gateway at a real Kubernetes API server.
//!
//! The program runs twice. The one that a person starts stays outside ([`outside`]): it looks for what is missing,
//! starts itself again in namespaces of its own, runs the curl lines and ends all. The other one ([`within`]) plays
//! the cluster, with what the cluster tests stand on, and drives the load.

mod applied;
mod arguments;
mod attached;
mod curl;
mod forward;
mod outside;
mod parts;
mod short_names;
mod site;
mod sockets;
mod steps;
#[allow(dead_code, unused_imports, reason = "what tests need of it")]
#[path = "../support/mod.rs"]
mod support;
mod within;

#[allow(dead_code, unused_imports, reason = "what the cluster tests need of it")]
#[path = "../cluster"]
mod cluster {
    pub mod inside;
    pub mod kubernetes;
    pub mod node;
    pub mod chart {
        pub mod helm;
        pub mod site;
    }
    pub mod installed {
        pub mod gateway;
        pub mod release;
    }
    pub mod gateway {
        pub mod envoy_gateway;
    }
}

use std::panic;
use std::process::ExitCode;

use clap::Parser;

use self::arguments::Arguments;
// Where the cluster tests have them.
use self::cluster::{chart, gateway, inside, installed, kubernetes, node};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What tests stand on panics where something is wrong; a person needs the words.
    panic::set_hook(Box::new(|panicked| {
        eprintln!("\ndemo-gateway: {}", panicked.payload_as_str().unwrap_or("something went wrong, without words"));
    }));
    let ran = panic::catch_unwind(|| if inside::is_here() { within::run(arguments) } else { outside::run(arguments) });
    match ran {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            eprintln!("\ndemo-gateway: {error:#}");
            ExitCode::FAILURE
        }
        Err(_told_already) => ExitCode::FAILURE,
    }
}
