//! Marks of what to cache, which are no part of a prompt.
//!
//! Clients of Anthropic put `cache_control` on the last message, and take it from the one before; many write a message
//! of one text as a list only to have a place for the mark, and as plain text in the next turn. No engine renders
//! either, so in prompts with such a mark neither is hashed; else each turn would look new where the last one ended.

use std::ops::Range;

use super::cursor::Cursor;

/// The member that is left out.
const MARKER: &str = "cache_control";

/// Deeper in a conversation nobody puts a mark.
const DEPTH: usize = 16;

/// Finds what to leave out of one text.
struct Walk<'a> {
    cursor: Cursor<'a>,
    cuts: Vec<Range<usize>>,
}

/// What to leave out, in the order in which it stands: each mark, and what makes a list of one lone text.
pub fn find(json: &str) -> Vec<Range<usize>> {
    let mut walk = Walk { cursor: Cursor::new(json), cuts: Vec::new() };
    while walk.value(DEPTH).is_some() {}
    walk.cuts
}

impl Walk<'_> {
    /// Looks into the next value; says where its text stands if it is a part with nothing but that. `None` at the end.
    fn value(&mut self, depth: usize) -> Option<Option<Range<usize>>> {
        match (self.cursor.peek()?, depth.checked_sub(1)) {
            (b'[', Some(depth)) => self.list(depth).map(|_| None),
            (b'{', Some(depth)) => self.object(depth),
            _ => self.cursor.skip().map(|_| None),
        }
    }

    /// Looks into a list; says where the text of its only part stands.
    fn list(&mut self, depth: usize) -> Option<Option<Range<usize>>> {
        let (mut lone, mut count) = (None, 0usize);
        self.cursor.enter(b'[')?;
        while self.cursor.peek()? != b']' {
            lone = self.value(depth)?;
            count += 1;
        }
        self.cursor.enter(b']')?;
        Some(lone.filter(|_| count == 1))
    }

    /// Looks into what a message says: a list of one lone text is left out but for the text.
    fn content(&mut self, depth: usize) -> Option<()> {
        if self.cursor.peek()? != b'[' {
            return self.value(depth).map(drop);
        }
        let (start, before) = (self.cursor.at(), self.cuts.len());
        if let Some(text) = self.list(depth)? {
            self.cuts.truncate(before);
            self.cuts.extend([start..text.start, text.end..self.cursor.at()]);
        }
        Some(())
    }

    /// Looks into a tool, a message or a part.
    fn object(&mut self, depth: usize) -> Option<Option<Range<usize>>> {
        let (mut text, mut is_text, mut has_more) = (None, false, false);
        // Where the last member ends that stays.
        let mut stays = None;
        self.cursor.enter(b'{')?;
        while self.cursor.peek()? == b'"' {
            let start = self.cursor.at();
            match self.cursor.word()? {
                MARKER => {
                    let end = self.cursor.skip()?.end;
                    self.cursor.peek()?;
                    // With the comma before it, or the one behind it if it comes first.
                    self.cuts.push(stays.map_or(start..self.cursor.at(), |stays| stays..end));
                    continue;
                }
                "type" if self.cursor.peek()? == b'"' => is_text = self.cursor.word()? == "text",
                "text" if self.cursor.peek()? == b'"' => text = self.cursor.skip(),
                key => {
                    has_more = true;
                    match key {
                        "content" | "output" => self.content(depth)?,
                        "source" => self.value(depth).map(drop)?,
                        _ => self.cursor.skip().map(drop)?,
                    }
                }
            }
            stays = Some(self.cursor.at());
        }
        self.cursor.enter(b'}')?;
        Some(text.filter(|_| is_text && !has_more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn without(json: &str) -> String {
        let (mut text, mut at) = (String::new(), 0);
        for cut in find(json) {
            text.push_str(json.get(at..cut.start).unwrap_or_default());
            at = at.max(cut.end);
        }
        text + &json[at..]
    }

    #[test]
    fn a_mark_goes_with_its_comma_and_a_lone_text_is_what_it_says() {
        const MARK: &str = r#""cache_control": {"type": "ephemeral", "ttl": ["}"]}"#;
        for (with, expected) in [
            (r#"[{"name":"t", MARK, "input_schema":{}}]"#, r#"[{"name":"t", "input_schema":{}}]"#),
            (r#"[{"name":"t", MARK}]"#, r#"[{"name":"t"}]"#),
            (r#"[{ MARK, "name":"t" }]"#, r#"[{ "name":"t" }]"#),
            (r#"[{MARK}]"#, "[{}]"),
            (r#"[{MARK,MARK,"a":1,MARK,MARK}]"#, r#"[{"a":1}]"#),
            (r#"[{"role":"user","content":"a",MARK}]"#, r#"[{"role":"user","content":"a"}]"#),
            (
                r#"[{"role":"user", "content": [ {"type":"text","text":"a\"]", MARK} ]}]"#,
                r#"[{"role":"user", "content": "a\"]"}]"#,
            ),
            (r#"[{"content":[{"text":"a","type":"text"}],"role":"user"}]"#, r#"[{"content":"a","role":"user"}]"#),
            (
                r#"[{"content":[{"type":"tool_result","content":[{"type":"text","text":"a",MARK}],MARK}]}]"#,
                r#"[{"content":[{"type":"tool_result","content":"a"}]}]"#,
            ),
            (
                r#"[{"content":[{"type":"text","text":"a"},{"type":"text","text":"b",MARK}]}]"#,
                r#"[{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]"#,
            ),
            (r#",{"type":"text","text":"a",MARK}]"#, r#",{"type":"text","text":"a"}]"#),
        ] {
            assert_eq!(without(&with.replace("MARK", MARK)), expected, "{with}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for kept in [
            r#"[{"content":[{"type":"tool_use","input":{"cache_control":1}}]}]"#,
            r#"[{"name":"t","input_schema":{"properties":{"cache_control":{"type":"string"}}}}]"#,
            r#"[{"content":[{"type":"text","text":"a","citations":[]}]}]"#,
            r#"[{"content":[{"type":"thinking","text":"a"}]}]"#,
            r#"[{"content":[{"text":"a"}]},{"content":[]},{"content":null}]"#,
            r#""text""#,
        ] {
            assert_eq!(without(kept), kept);
        }
    }

    proptest! {
        #[test]
        fn text_that_is_not_json_does_no_harm(pieces in prop::collection::vec(prop_oneof![
            "[\\[\\]{}\",: \\\\é]{0,4}", Just("\"cache_control\":".to_owned()), Just("\"content\":[".to_owned()),
            Just("{\"type\":\"text\",\"text\":\"".to_owned()),
        ], 0..20)) {
            find(&pieces.concat());
        }
    }
}
