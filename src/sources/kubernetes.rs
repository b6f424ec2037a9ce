//! What a Kubernetes API server says: the pods of a pool, and the configuration.
//!
//! ```text
//!   InferencePool --\
//!                    +-- follow: Table, Roster --> endpoints, what is missing, counts of pods
//!   its pods      --/
//!   ConfigMap ------- ConfigMapWatch -----------> documents          Events <-- what is wrong with them
//! ```
//!
//! [`follow()`] is the entry for endpoints, [`ConfigMapWatch`] for the configuration. What decides is pure and in
//! files of its own ([`endpoints`], [`roster`]); the rest keeps watches alive. A watch that fails changes nothing:
//! what was known holds until a complete list says otherwise. What is asked once, by `homing doctor`, is in `once`,
//! `access` and `discovery`.

mod access;
mod client;
mod config_map;
mod discovery;
pub mod endpoints;
mod events;
mod follow;
mod inference_pool;
mod once;
mod pod;
pub mod roster;
mod selector;
mod teller;
mod template;
mod trouble;
mod watch;

pub use access::{Rule, rules};
pub use client::{Cluster, ConnectError};
pub use config_map::{ConfigMapWatch, Located, MapNews};
pub use discovery::ApiGroup;
pub use events::Events;
pub use follow::{Members, Wanted, follow};
pub use inference_pool::{PickerPort, PickerRef, Spec};
pub use once::{About, FoundPool, Unanswered};
pub use pod::{Container, Pod};
pub use selector::{parse_ports, parse_selector, selector_text};
pub use teller::Update;
pub use template::Template;
pub use trouble::Trouble;
