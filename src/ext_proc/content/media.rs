//! Images, recordings, films and files in a prompt: found by their parts' types, known by their data.
//!
//! A medium's data, or its address, is one string somewhere in a content part; the JSON text is cut there. Whatever
//! stands around it stays text. Text in which no part says that it is a medium is never looked into.

use std::cmp::Reverse;
use std::ops::Range;

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::cursor::Cursor;
use super::pieces::Pieces;

/// Separates media from any other use of XXH3; public, fixed, the same on all replicas.
const SEED: u64 = 0x686f_6d69_6e67_0002;

/// A string that is a data URL and this long is a medium whatever holds it, in bytes: text hardly begins like one.
const LONG: usize = 4096;

/// Deeper in a conversation nobody puts a medium.
const DEPTH: usize = 16;

/// The types of content parts that are media: OpenAI's (chat, responses), Anthropic's and vLLM's.
const TYPES: &[&str] = &[
    "image_url",
    "input_image",
    "image",
    "computer_screenshot",
    "image_generation_call",
    "image_embeds",
    "audio_embeds",
    "input_audio",
    "audio_url",
    "audio",
    "video_url",
    "input_video",
    "video",
    "file",
    "input_file",
    "document",
];

/// Members of such parts, or of an object in such a member, that hold the data or where to get it.
const DATA: &[&str] = &[
    "image_url",
    "input_audio",
    "audio_url",
    "video_url",
    "image",
    "audio",
    "video",
    "image_embeds",
    "audio_embeds",
    "file",
    "source",
    "url",
    "data",
    "file_data",
    "file_url",
    "file_id",
    "result",
];

/// Members that make a medium of a part without a type, as vLLM takes it.
const SHORT: &[&str] = &["image_url", "audio_url", "video_url"];

/// Finds media in one text.
struct Walk<'a> {
    cursor: Cursor<'a>,
    /// Where their data stand.
    found: Vec<Range<usize>>,
}

/// Whether the value at `at` is the type of a medium, where `"type"` ends there.
pub fn is_type(json: &str, at: usize) -> bool {
    let mut cursor = Cursor::new(json.get(at..).unwrap_or_default());
    cursor.peek() == Some(b'"') && cursor.word().is_some_and(|kind| TYPES.contains(&kind))
}

/// Whether the name of a member ends at `at` that makes a medium of a part without a type.
pub fn is_short_form(json: &str, at: usize) -> bool {
    SHORT.iter().any(|name| json.as_bytes()[..at].ends_with(name.as_bytes()))
}

/// Where the data of media stand in the JSON text of a prompt, in their order.
pub fn find(json: &str) -> Vec<Range<usize>> {
    let mut walk = Walk { cursor: Cursor::new(json), found: Vec::new() };
    while walk.value(DEPTH).is_some() {}
    walk.found.extend(long(json));
    // In one object the data may come before the parts. Of two in one place the wider counts.
    walk.found.sort_unstable_by_key(|range| (range.start, Reverse(range.end)));
    let mut end = 0;
    walk.found.retain(|range| {
        range.start >= end && {
            end = range.end;
            true
        }
    });
    walk.found
}

/// The long data URLs in JSON text.
fn long(json: &str) -> impl Iterator<Item = Range<usize>> {
    memmem::find_iter(json.as_bytes(), b"\"data:").filter_map(move |at| long_at(json, at))
}

/// The long data URL in the string at `at`. A whole prompt that is one is text.
pub fn long_at(json: &str, at: usize) -> Option<Range<usize>> {
    // A quote inside a string comes after a backslash, and no other does.
    if json.as_bytes()[..at].last().is_none_or(|before| *before == b'\\') {
        return None;
    }
    let mut cursor = Cursor::new(&json[at..]);
    let range = cursor.string().filter(|range| range.len() >= LONG)?;
    let head = &json.as_bytes()[at + range.start..][..128];
    memmem::find(head, b";base64,").map(|_| at + range.start..at + range.end)
}

/// The media that stand beside a prompt: one string or object, a list of them, or a list of such lists.
pub fn list(json: &str, pieces: &mut Pieces<'_>) {
    let mut cursor = Cursor::new(json);
    while let Some(next) = cursor.peek() {
        match next {
            b'[' | b']' => {
                cursor.enter(next);
            }
            _ => {
                let Some(range) = cursor.skip() else { return };
                let text = cursor.text(range.clone());
                let quote = usize::from(text.starts_with('"'));
                let data = range.start + quote..range.end - quote;
                if text != "null" && pieces.medium(json, data).is_none() {
                    return;
                }
            }
        }
    }
}

/// What a medium is known by: its text as it is written, not what it stands for.
pub fn hash(text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), SEED)
}

impl Walk<'_> {
    /// Looks for media in the next value; `None` at the end of the text.
    fn value(&mut self, depth: usize) -> Option<()> {
        match (self.cursor.peek()?, depth.checked_sub(1)) {
            (b'[', Some(depth)) => {
                self.cursor.enter(b'[')?;
                while self.cursor.peek()? != b']' {
                    self.value(depth)?;
                }
                self.cursor.enter(b']')
            }
            (b'{', Some(depth)) => self.object(depth),
            _ => self.cursor.skip().map(drop),
        }
    }

    /// Looks at a message, an item or a part, and into what it holds.
    fn object(&mut self, depth: usize) -> Option<()> {
        let (mut kind, mut data, mut short) = (None, None, false);
        self.cursor.enter(b'{')?;
        while self.cursor.peek()? == b'"' {
            match self.cursor.word()? {
                "type" if self.cursor.peek()? == b'"' => kind = Some(self.cursor.word()?),
                "content" | "output" | "outputs" => self.value(depth)?,
                key if DATA.contains(&key) => {
                    let found = self.data(depth)?;
                    data = data.or(found);
                    short |= SHORT.contains(&key);
                }
                _ => {
                    self.cursor.skip()?;
                }
            }
        }
        if kind.map_or(short, |kind| TYPES.contains(&kind)) {
            self.found.extend(data);
        }
        self.cursor.enter(b'}')
    }

    /// Where the data stand in a member that may hold them, or one level further down.
    fn data(&mut self, depth: usize) -> Option<Option<Range<usize>>> {
        match self.cursor.peek()? {
            b'"' => return Some(self.cursor.string().filter(|range| !range.is_empty())),
            b'{' => self.cursor.enter(b'{')?,
            // A film as a list of its pictures is one medium.
            _ => {
                let whole = self.cursor.skip()?;
                let list = self.cursor.text(whole.clone()).strip_prefix('[');
                return Some(list.filter(|list| list.trim_start().starts_with('"')).map(|_| whole));
            }
        }
        let (mut kind, mut data) = ("", None);
        while self.cursor.peek()? == b'"' {
            match self.cursor.word()? {
                "type" if self.cursor.peek()? == b'"' => kind = self.cursor.word()?,
                "content" => self.value(depth)?,
                key if DATA.contains(&key) && self.cursor.peek()? == b'"' => {
                    let range = self.cursor.string()?;
                    data = data.or(Some(range).filter(|range| !range.is_empty()));
                }
                _ => {
                    self.cursor.skip()?;
                }
            }
        }
        self.cursor.enter(b'}')?;
        // A document of plain text is rendered as text.
        Some(data.filter(|_| kind != "text"))
    }
}

#[cfg(test)]
mod tests;
