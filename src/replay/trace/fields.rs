//! What stands in the fields of a line: times, counts and sessions, in all the ways that logs write them.

use std::fmt;

use jiff::Timestamp;
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

/// Milliseconds beyond this are no milliseconds: the year 33,658.
const LATEST: f64 = 1e15;
/// Tokens that no prompt and no answer has.
const MOST_TOKENS: u64 = 1 << 32;

/// A timestamp: a number of milliseconds, or a date and time in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Time {
    /// Milliseconds since whatever the trace counts from; finite.
    pub millis: f64,
    /// Whether it was written as a date.
    pub is_date: bool,
}

/// A number of tokens, from 0 to 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

/// A session; an empty one is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session(pub Option<String>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SessionVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds as a number, or a date and time as 2026-11-20T09:00:00.120Z")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Time, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Time, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Time, E> {
        if value.is_finite() && value.abs() < LATEST {
            return Ok(Time { millis: value, is_date: false });
        }
        Err(E::custom("too large for milliseconds; divide microseconds by 1,000 and nanoseconds by 1,000,000"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Time, E> {
        if let Ok(time) = value.parse::<Timestamp>() {
            return Ok(Time { millis: time.as_nanosecond() as f64 / 1e6, is_date: true });
        }
        if value.parse::<jiff::civil::DateTime>().is_ok() {
            return Err(E::custom(format_args!("{value:?} names no zone; add Z if it is UTC, or an offset as +02:00")));
        }
        Err(E::invalid_value(Unexpected::Str(value), &self))
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 0 to {MOST_TOKENS}")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Count, E> {
        if value <= MOST_TOKENS { Ok(Count(value)) } else { Err(E::invalid_value(Unexpected::Unsigned(value), &self)) }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Count, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self)).map(Count)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Count, E> {
        let is_count = value.fract() == 0.0 && (0.0..=MOST_TOKENS as f64).contains(&value);
        if is_count { Ok(Count(value as u64)) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
    }
}

struct SessionVisitor;

impl Visitor<'_> for SessionVisitor {
    type Value = Session;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, or null")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Session, E> {
        Ok(Session(None))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Session, E> {
        Ok(Session(Some(value.to_string())))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Session, E> {
        Ok(Session(Some(value.to_string())))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Session, E> {
        Ok(Session((!value.is_empty()).then(|| value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::from_json;
    use super::*;

    #[test]
    fn a_time_is_milliseconds_or_a_date_with_a_zone() {
        for (text, millis) in [
            ("5", Ok(5.0)),
            ("-5", Ok(-5.0)),
            ("0.25", Ok(0.25)),
            ("\"1970-01-01T00:00:01Z\"", Ok(1_000.0)),
            ("\"1970-01-01 00:00:01.5Z\"", Ok(1_500.0)),
            ("\"1970-01-01T02:00:01+02:00\"", Ok(1_000.0)),
            ("\"1969-12-31T22:00:00-02:00\"", Ok(0.0)),
            ("1e15", Err("divide microseconds")),
            ("1795165205504000000", Err("divide microseconds")),
            ("1e308", Err("divide microseconds")),
            ("\"2026-11-20T09:00:00\"", Err("add Z")),
            ("\"2026-11-20 09:00:00.5\"", Err("add Z")),
            ("\"soon\"", Err("expected milliseconds as a number")),
            ("null", Err("expected milliseconds as a number")),
        ] {
            match (from_json::<Time>(text), millis) {
                (Ok(time), Ok(millis)) => assert_eq!(time.millis, millis, "{text}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn a_count_is_whole_and_not_beyond_all_measure() {
        for (text, count) in [
            ("0", Some(0)),
            ("5.0", Some(5)),
            ("4294967296", Some(1 << 32)),
            ("4294967297", None),
            ("18446744073709551615", None),
            ("1e300", None),
            ("5.5", None),
            ("-1", None),
            ("-1.0", None),
            ("\"5\"", None),
        ] {
            assert_eq!(from_json::<Count>(text).ok().map(|count| count.0), count, "{text}");
        }
    }

    #[test]
    fn a_session_is_a_text_or_a_number_and_an_empty_one_is_none() {
        for (text, session) in [
            ("\"a\"", Some(Some("a"))),
            ("4711", Some(Some("4711"))),
            ("\"\"", Some(None)),
            ("null", Some(None)),
            ("[]", None),
        ] {
            let read = from_json::<Session>(text).ok();
            assert_eq!(read.as_ref().map(|session| session.0.as_deref()), session, "{text}");
        }
    }
}
