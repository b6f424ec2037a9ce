//! Images, recordings, films and files in a prompt: found by their parts' types, known by their data.
//!
//! A medium's data, or its address, is one string somewhere in a content part; the JSON text is cut there. Whatever
//! stands around it stays text. Text in which no part says that it is a medium is never looked into.

use std::ops::Range;

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::cursor::Cursor;
use super::pieces::Pieces;

/// Separates media from any other use of XXH3; public, fixed, the same on all replicas.
const SEED: u64 = 0x686f_6d69_6e67_0002;

/// Media of one prompt that are told from text; engines take fewer. Each costs a pick as much as its tokens' bytes.
const MOST: usize = 1_000;

/// Deeper in a conversation nobody puts a medium.
const DEPTH: usize = 16;

/// The types of content parts that are media: OpenAI's (chat, responses), Anthropic's and vLLM's.
const TYPES: &[&str] = &[
    "image_url",
    "input_image",
    "image",
    "computer_screenshot",
    "image_generation_call",
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
    "file",
    "source",
    "url",
    "data",
    "file_data",
    "file_url",
    "file_id",
    "result",
];

/// Finds media in one text.
struct Walk<'a> {
    cursor: Cursor<'a>,
    /// Where their data stand.
    found: Vec<Range<usize>>,
}

/// Whether JSON text holds a part of such a type. Text inside strings has its quotes escaped and is never taken for one.
pub fn has_any(json: &str) -> bool {
    memmem::find_iter(json.as_bytes(), b"\"type\"").any(|at| {
        let mut cursor = Cursor::new(&json[at + b"\"type\"".len()..]);
        cursor.peek() == Some(b'"') && cursor.word().is_some_and(|kind| TYPES.contains(&kind))
    })
}

/// Where the data of media stand in the JSON text of a prompt, in their order.
pub fn find(json: &str) -> Vec<Range<usize>> {
    let mut walk = Walk { cursor: Cursor::new(json), found: Vec::new() };
    while walk.value(DEPTH).is_some() {}
    // In one object the data may come before the parts.
    walk.found.sort_unstable_by_key(|range| range.start);
    walk.found.truncate(MOST);
    walk.found
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
                let text = cursor.text(range);
                if text != "null" && pieces.parts().len() < MOST {
                    pieces.medium(text.trim_matches('"'));
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
        let (mut kind, mut data) = ("", None);
        self.cursor.enter(b'{')?;
        while self.cursor.peek()? == b'"' {
            match self.cursor.word()? {
                "type" if self.cursor.peek()? == b'"' => kind = self.cursor.word()?,
                "content" | "output" => self.value(depth)?,
                key if DATA.contains(&key) => {
                    let found = self.data(depth)?;
                    data = data.or(found);
                }
                _ => {
                    self.cursor.skip()?;
                }
            }
        }
        if TYPES.contains(&kind) {
            self.found.extend(data);
        }
        self.cursor.enter(b'}')
    }

    /// Where the data stand in a member that may hold them, or one level further down.
    fn data(&mut self, depth: usize) -> Option<Option<Range<usize>>> {
        match self.cursor.peek()? {
            b'"' => return Some(self.cursor.string().filter(|range| !range.is_empty())),
            b'{' => self.cursor.enter(b'{')?,
            _ => {
                self.cursor.skip()?;
                return Some(None);
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
