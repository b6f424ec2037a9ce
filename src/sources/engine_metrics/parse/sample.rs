//! One line of the Prometheus text format: `family{name="value",...} number [timestamp]`.

use std::borrow::Cow;

/// A line that holds a number.
#[derive(Debug)]
pub struct Sample<'a> {
    pub family: &'a str,
    pub labels: Labels<'a>,
    pub value: f64,
}

/// The labels of a sample, in their order; ends early where they are malformed.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a str,
}

impl<'a> Sample<'a> {
    /// `None` where the line is malformed in any way.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.trim_ascii();
        let name_end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
        let (family, rest) = line.split_at(name_end);
        let rest = rest.trim_ascii_start();
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inside) => closing_brace(inside).map(|end| (&inside[..end], &inside[end + 1..]))?,
            None => ("", rest),
        };
        let mut numbers = rest.split_ascii_whitespace();
        let value = numbers.next()?.parse().ok()?;
        // What may follow is a timestamp.
        let is_end =
            numbers.next().is_none_or(|timestamp| timestamp.parse::<f64>().is_ok()) && numbers.next().is_none();
        (is_end && !family.is_empty()).then_some(Self { family, labels: Labels { rest: labels }, value })
    }
}

/// The family of a line, whatever follows it: looked at first, because hardly any is wanted.
pub fn family(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b'{' || byte.is_ascii_whitespace());
    end.map_or(line, |end| &line[..end])
}

/// Where the labels end: braces inside quotes do not count.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' => return !quoted,
            _ => {}
        }
        false
    })
}

impl<'a> Iterator for Labels<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.rest.split_once('=')?;
        let quoted = rest.trim_ascii_start().strip_prefix('"')?;
        let mut escaped = false;
        let end = quoted.bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })?;
        self.rest = &quoted[end + 1..];
        Some((name.trim_matches(|c: char| c == ',' || c.is_ascii_whitespace()), unescaped(&quoted[..end])))
    }
}

fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return raw.into();
    }
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            plain => plain,
        });
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<(&str, String)> {
        Labels { rest: text }.map(|(name, value)| (name, value.into_owned())).collect()
    }

    #[test]
    fn labels_may_hold_quotes_braces_commas_and_line_ends() {
        let line = r#"f{a="x\"},\\y", b = "1\n2",} 3.5 1700000000000"#;
        let sample = Sample::parse(line.as_bytes()).expect("a sample");
        assert_eq!((sample.family, sample.value), ("f", 3.5));
        let expected = [("a", "x\"},\\y"), ("b", "1\n2")].map(|(name, value)| (name, value.to_owned()));
        assert_eq!(sample.labels.map(|(name, value)| (name, value.into_owned())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn malformed_labels_end_early() {
        assert_eq!(labels(r#"a="1",b"#), [("a", "1".to_owned())]);
        assert_eq!(labels(r#"a=1"#), []);
        assert_eq!(labels(r#"a="1"#), []);
    }

    #[test]
    fn a_malformed_line_is_no_sample() {
        for line in ["", "f", "f x", "f{a=\"1\" 2", "{a=\"1\"} 2", "f 1 2 3", "f 1 soon", "f{a=\"}\\\"} 1"] {
            assert!(Sample::parse(line.as_bytes()).is_none(), "{line}");
        }
        assert!(Sample::parse(b"f\xff 1").is_none());
    }
}
