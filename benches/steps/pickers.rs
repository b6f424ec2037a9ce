//! A picker with so many endpoints, as `homing serve` would make it, and prompts for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use homing::config::{PickerConfig, live};
use homing::model::{Endpoint, Part, Prompt, Request, SessionHint, SessionSource, Subset, Unit};
use homing::pick::Picker;
use homing::state::{PrefixIndex, pool};

/// Of the endpoint with this number.
pub fn address(number: u16) -> SocketAddr {
    ([127, 0, (number >> 8) as u8, number as u8], 8_000).into()
}

pub fn picker(endpoints: u16) -> Arc<Picker> {
    let index = Arc::<PrefixIndex>::default();
    let (reader, mut writer) = pool(Arc::clone(&index));
    writer.replace((0..endpoints).map(|n| Endpoint::new(&format!("r{n}"), address(n))).collect());
    let config = live(PickerConfig::default()).0;
    Arc::new(Picker::new(reader, config, index, Arc::default(), "bench", Instant::now()))
}

/// The endpoint with this number alone.
pub fn only(number: u16) -> Subset {
    let mut subset = Subset::default();
    subset.admit(&address(number).to_string());
    subset
}

pub fn prompt<'a>(parts: &'a [Part<'a>]) -> Prompt<'a> {
    Prompt { model: "bench", salt: "", parts, unit: Unit::Text, streams: true }
}

/// A chat's request, as the stream would ask with it.
pub fn request<'a>(session: &'a str, parts: &'a [Part<'a>], subset: Option<&'a Subset>) -> Request<'a> {
    let session = SessionHint { id: Some(session), source: SessionSource::Header, ..SessionHint::default() };
    Request { id: None, session, subset, prompt: Some(prompt(parts)), unread_bytes: None }
}
