//! Durations as people write them: `1h`, `500ms`, `1m 30s`. For `#[serde(with = "duration")]`.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer).map_err(|error| {
        D::Error::custom(format_args!("{error}; write a number with its unit, such as 500ms or 10s"))
    })?;
    humantime::parse_duration(&text)
        .map_err(|error| D::Error::custom(format_args!("`{text}` is not a duration: {error}")))
}
