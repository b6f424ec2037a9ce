//! The parts of a prompt, in the order in which engines render them.

use crate::model::Part;

use super::body::Said;
use super::pieces::Pieces;
use super::{hints, json, markers, media};

/// Shows the parts of a prompt of text; allocates only where it holds media or marks.
pub fn of_text<T>(said: &Said<'_>, main: &str, read: impl FnOnce(&[Part<'_>]) -> T) -> T {
    let [tools, system] = said.before;
    let texts = [tools, system, main];
    // A mark anywhere: the same turn has one in one request, and none in the next.
    let [in_tools, in_system, in_main] = texts.map(hints::find);
    let is_marked = in_tools.marks || in_system.marks || in_main.marks;
    let has_media = in_system.media || in_main.media;
    if !has_beside(said) && !is_marked && !has_media {
        let mut parts = [Part::Bytes(b""); 3];
        let mut count = 0;
        for text in texts.map(json::open_ended).into_iter().filter(|text| !text.is_empty()) {
            parts[count] = Part::Bytes(text.as_bytes());
            count += 1;
        }
        return read(&parts[..count]);
    }
    let mut pieces = beside(said);
    for text in texts {
        let left_out = if is_marked { markers::find(text) } else { Vec::new() };
        let media = if has_media { media::find(text) } else { Vec::new() };
        pieces.text(text, &left_out, &media);
    }
    read(pieces.parts())
}

/// Shows the parts of a prompt of token ids.
pub fn of_token_ids<T>(said: &Said<'_>, ids: &[u8], read: impl FnOnce(&[Part<'_>]) -> T) -> T {
    if !has_beside(said) {
        return read(&[Part::Bytes(ids)]);
    }
    let mut pieces = beside(said);
    pieces.bytes(ids);
    read(pieces.parts())
}

fn has_beside(said: &Said<'_>) -> bool {
    said.beside.iter().any(|media| !media.is_empty())
}

/// Media beside a prompt come first: where in it they belong is not said, and what follows depends on them.
fn beside<'a>(said: &Said<'_>) -> Pieces<'a> {
    let mut pieces = Pieces::default();
    said.beside.iter().for_each(|media| media::list(media, &mut pieces));
    pieces
}
