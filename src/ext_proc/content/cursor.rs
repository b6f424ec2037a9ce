//! A place in JSON text that is known to be valid.
//!
//! Steps over values without reading them again and again, as looking into nested texts one by one would. Text that
//! is not valid leads to `None`, or to pieces that mean nothing, never to a panic.

use std::ops::Range;

/// A place in a text.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning.
    pub fn new(json: &'a str) -> Self {
        Self { json, at: 0 }
    }

    /// How many bytes lie behind.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is neither space nor separator: where the next value, key or bracket begins.
    pub fn peek(&mut self) -> Option<u8> {
        let rest = self.json.as_bytes().get(self.at..)?;
        let skipped = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':'))?;
        self.at += skipped;
        Some(rest[skipped])
    }

    /// Steps over a bracket, if it is next.
    pub fn enter(&mut self, bracket: u8) -> Option<()> {
        (self.peek()? == bracket).then(|| self.at += 1)
    }

    /// Steps over a string, if it is next, and returns what stands between its quotes, as it is written.
    pub fn string(&mut self) -> Option<Range<usize>> {
        self.enter(b'"')?;
        let bytes = self.json.as_bytes();
        let start = self.at;
        loop {
            let found = memchr::memchr2(b'"', b'\\', bytes.get(self.at..)?)?;
            self.at += found + 1;
            if bytes[self.at - 1] == b'"' {
                return Some(start..self.at - 1);
            }
            self.at += 1;
        }
    }

    /// Steps over a string, and returns its text as it is written.
    pub fn word(&mut self) -> Option<&'a str> {
        self.string().map(|range| self.text(range))
    }

    /// Steps over any value, and returns where it stands.
    pub fn skip(&mut self) -> Option<Range<usize>> {
        self.peek()?;
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'[' | b'{' => {
                    self.at += 1;
                    depth += 1;
                }
                b']' | b'}' => {
                    self.at += 1;
                    depth = depth.checked_sub(1)?;
                }
                _ => self.scalar(),
            }
            if depth == 0 {
                return Some(start..self.at);
            }
        }
    }

    /// The text in a range.
    pub fn text(&self, range: Range<usize>) -> &'a str {
        self.json.get(range).unwrap_or_default()
    }

    /// What follows.
    pub fn rest(&self) -> &'a str {
        self.text(self.at..self.json.len())
    }

    fn scalar(&mut self) {
        let rest = &self.json.as_bytes()[self.at..];
        let end =
            |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'[' | b']' | b'{' | b'}' | b'"');
        self.at += rest.iter().position(end).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_steps_over_values_of_every_kind() {
        let json = r#" { "a" : [1, {"b": "]}\""}, null] , "c":-1.5e3,"d":"" } "#;
        let mut cursor = Cursor::new(json);
        assert_eq!(cursor.enter(b'['), None);
        cursor.enter(b'{').expect("an object");
        let mut seen = Vec::new();
        while cursor.peek() == Some(b'"') {
            let key = cursor.word().expect("a key");
            let value = cursor.skip().expect("a value");
            seen.push((key, cursor.text(value)));
        }
        assert_eq!(seen, [("a", r#"[1, {"b": "]}\""}, null]"#), ("c", "-1.5e3"), ("d", r#""""#)]);
        assert_eq!((cursor.rest(), cursor.enter(b'}')), ("} ", Some(())));
    }

    proptest! {
        #[test]
        fn text_that_is_not_json_does_no_harm(json in "[\\[\\]{}\",:\\\\ a1é]{0,40}") {
            let mut cursor = Cursor::new(&json);
            while cursor.skip().is_some() {}
            let mut cursor = Cursor::new(&json);
            while cursor.word().is_some() {}
            cursor.rest();
        }
    }
}
