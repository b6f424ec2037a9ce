//! The picker's configuration: one YAML document, its defaults, its checks and its live copy.
//!
//! [`parse`] turns text into a [`PickerConfig`], or into every problem with its line, its field and
//! the nearest valid name. [`live()`] hands out the two halves of the running configuration: sources
//! publish, everybody else reads.

mod byte_size;
mod document;
mod duration;
mod kinds;
mod live;
mod load;
mod problem;
mod schema;
mod validate;

pub use byte_size::{ByteSize, ParseByteSizeError};
pub use document::Document;
pub use kinds::{Affinity, EngineChoice, ScorerKind};
pub use live::{ConfigReader, ConfigWriter, live};
pub use load::{Parsed, parse};
pub use problem::{ConfigError, Problem};
pub use schema::{
    AdapterLocality, ApiVersion, EngineMetrics, Kind, Limits, PickerConfig, PrefixIndex, PrefixLocality, Scorer,
    Scorers, SessionAffinity, Sessions,
};
