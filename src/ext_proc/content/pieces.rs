//! The parts of a prompt while its texts are cut.

use std::ops::Range;

use crate::model::Part;

use super::{json, media};

/// Media of one prompt that are parts of their own; engines take fewer. Each costs a pick as much as its tokens' bytes.
pub const MOST_MEDIA: usize = 1_000;

/// What was cut so far.
#[derive(Default)]
pub struct Pieces<'a> {
    parts: Vec<Part<'a>>,
    media: usize,
}

impl<'a> Pieces<'a> {
    /// All parts, in their order.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// The medium whose data stand in a range of `json`. Beyond the most that are told apart, it is all of the rest
    /// together: `None`, for nothing may follow.
    pub fn medium(&mut self, json: &str, data: Range<usize>) -> Option<()> {
        self.media += 1;
        let is_one = self.media <= MOST_MEDIA;
        let text = if is_one { json.get(data) } else { json.get(data.start..) };
        self.parts.push(Part::Media(media::hash(text.unwrap_or_default())));
        is_one.then_some(())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &'a [u8]) {
        if !bytes.is_empty() {
            self.parts.push(Part::Bytes(bytes));
        }
    }

    /// The JSON text of a piece of a prompt: without `left_out`, and with parts of their own for the data of `media`.
    /// Both are in the order in which they stand.
    pub fn text(&mut self, json: &'a str, left_out: &[Range<usize>], media: &[Range<usize>]) {
        let text = json::open_ended(json).as_bytes();
        let mut left_out = left_out.iter().peekable();
        let mut at = 0;
        for medium in media.iter().map(Some).chain([None]) {
            let end = medium.map_or(text.len(), |medium| medium.start);
            while let Some(cut) = left_out.next_if(|cut| cut.start <= end) {
                self.bytes(text.get(at..cut.start).unwrap_or_default());
                at = at.max(cut.end);
            }
            let Some(medium) = medium.filter(|_| at <= end) else {
                // The end, or data in what is left out.
                continue;
            };
            self.bytes(text.get(at..end).unwrap_or_default());
            if self.medium(json, medium.clone()).is_none() {
                return;
            }
            at = medium.end;
        }
        self.bytes(text.get(at..).unwrap_or_default());
    }
}
