//! Pieces of JSON text, borrowed from the text around them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The texts of these members of an object; of one that repeats the last counts, as it does for engines. `null` is
/// none. `None` altogether if the text is not one JSON object.
pub fn members<'a, const N: usize>(object: &'a str, names: &[&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let found = Members(names).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(found)
}

/// What a JSON string says; allocates only where it holds escapes. `None` if the text is not a JSON string.
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// Without the closing bracket or quote, which moves on with every turn.
pub fn open_ended(json: &str) -> &str {
    json.strip_suffix(['}', ']', '"']).unwrap_or(json)
}

/// The members of an object by name.
struct Members<'n, const N: usize>(&'n [&'n str; N]);

/// The place of a key among the names.
struct Place<'n>(&'n [&'n str]);

impl<'de, const N: usize> DeserializeSeed<'de> for Members<'_, N> {
    type Value = [Option<&'de str>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place(self.0))? {
            match place {
                Some(place) => {
                    let value: &RawValue = map.next_value()?;
                    found[place] = Some(value.get()).filter(|text| *text != "null");
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_in_any_order_and_the_last_of_a_name_counts() {
        let found = |json| members(json, &["a", "b"]);
        assert_eq!(found(r#"{"b": [1, {"a": 2}], "c": 3, "a":"x"}"#), Some([Some(r#""x""#), Some(r#"[1, {"a": 2}]"#)]));
        assert_eq!(found(r#"{"a":1,"a":2}"#), Some([Some("2"), None]));
        assert_eq!(found(r#"{"\u0061":1,"b":null}"#), Some([Some("1"), None]));
        assert_eq!(found("{}"), Some([None, None]));
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for json in ["", "null", "[]", "\"a\"", "{\"a\":1}{}", "{\"a\":1", "{\"a\":1,}"] {
            assert_eq!(members(json, &["a"]), None, "{json}");
        }
    }

    #[test]
    fn text_is_borrowed_unless_it_holds_escapes() {
        assert!(matches!(text(r#""a b""#), Some(Cow::Borrowed("a b"))));
        assert_eq!(text(r#""a\"\u00fc""#), Some(Cow::Owned("a\"ü".into())));
        for json in ["", "1", "[\"a\"]", "\""] {
            assert_eq!(text(json), None, "{json}");
        }
    }
}
