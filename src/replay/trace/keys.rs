//! The names of a line's fields: what format they tell, and which are perhaps misspelt.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// Of a Mooncake trace.
const MOONCAKE: [&str; 3] = ["input_length", "output_length", "hash_ids"];
/// All others that are read here.
const PROMPTS: [&str; 8] = [
    "messages",
    "prompt",
    "input",
    "body",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "output_tokens",
];
const ALWAYS: [&str; 2] = ["timestamp", "session"];
/// Fields of bodies that look like those above, and are right as they are.
const OTHERS: [&str; 4] = ["inputs", "session_id", "input_ids", "prompts"];
/// Letters that may differ.
const SLIPS: usize = 2;

/// The names of the fields of one object, in their order.
pub struct Keys(pub Vec<String>);

impl Keys {
    /// Whether a line with these is of a Mooncake trace.
    pub fn are_mooncakes(&self) -> bool {
        self.has_one_of(&MOONCAKE)
    }

    /// Whether a line with these is of a trace of prompts.
    pub fn are_prompts(&self) -> bool {
        !self.are_mooncakes() && self.has_one_of(&PROMPTS[..4])
    }

    fn has_one_of(&self, names: &[&str]) -> bool {
        self.0.iter().any(|key| names.contains(&key.as_str()))
    }

    /// Those that are nearly fields which are read, with those.
    pub fn misspelt(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let read = || ALWAYS.into_iter().chain(MOONCAKE).chain(PROMPTS);
        let is_known = move |key: &str| OTHERS.contains(&key) || read().any(|name| name == key);
        let unknown = self.0.iter().map(String::as_str).filter(move |key| !is_known(key));
        unknown.filter_map(move |key| Some((key, read().find(|name| are_near(key, name))?)))
    }
}

/// Whether two names differ by nothing but a slip, capitals and underscores.
fn are_near(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.chars().filter(|char| char.is_alphanumeric()).collect::<String>().to_lowercase();
    let slips = if other.len() < 8 { SLIPS - 1 } else { SLIPS };
    strsim::osa_distance(&plain(one), &plain(other)) <= slips || plain(one) == format!("{other}id")
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
            keys.push(key);
        }
        Ok(Keys(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Keys {
        Keys(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_name_that_is_nearly_one_that_is_read_is_misspelt() {
        for (name, meant) in [
            ("sesion", Some("session")),
            ("sessionId", Some("session")),
            ("Session", Some("session")),
            ("maxTokens", Some("max_tokens")),
            ("max_token", Some("max_tokens")),
            ("message", Some("messages")),
            ("hash_id", Some("hash_ids")),
            ("output_lenght", Some("output_length")),
            ("session", None),
            ("session_id", None),
            ("model", None),
            ("tools", None),
            ("text", None),
            ("temperature", None),
            ("input_ids", None),
            ("user", None),
        ] {
            assert_eq!(keys(&[name]).misspelt().map(|(_, meant)| meant).next(), meant, "{name}");
        }
    }

    #[test]
    fn the_format_is_told_by_the_fields() {
        for (names, mooncakes, prompts) in [
            (&["timestamp", "hash_ids"][..], true, false),
            (&["timestamp", "messages"], false, true),
            (&["timestamp", "body"], false, true),
            (&["timestamp", "input"], false, true),
            (&["timestamp"], false, false),
        ] {
            assert_eq!((keys(names).are_mooncakes(), keys(names).are_prompts()), (mooncakes, prompts), "{names:?}");
        }
    }
}
