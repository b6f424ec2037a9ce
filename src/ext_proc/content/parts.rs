//! The parts of a prompt, in the order in which engines render them.

use crate::model::Part;

use super::body::Said;
use super::{json, media};

/// Shows the parts of a prompt of text; allocates only where it holds media.
pub fn of_text<T>(said: &Said<'_>, main: &str, read: impl FnOnce(&[Part<'_>]) -> T) -> T {
    let [tools, system] = said.before;
    let pieces = [tools, system, main];
    if !has_beside(said) && !media::has_any(system) && !media::has_any(main) {
        let mut parts = [Part::Bytes(b""); 3];
        let mut count = 0;
        for piece in pieces.map(json::open_ended).into_iter().filter(|piece| !piece.is_empty()) {
            parts[count] = Part::Bytes(piece.as_bytes());
            count += 1;
        }
        return read(&parts[..count]);
    }
    let mut parts = beside(said);
    for piece in pieces {
        media::split(piece, &mut parts);
    }
    read(&parts)
}

/// Shows the parts of a prompt of token ids.
pub fn of_token_ids<T>(said: &Said<'_>, ids: &[u8], read: impl FnOnce(&[Part<'_>]) -> T) -> T {
    if !has_beside(said) {
        return read(&[Part::Bytes(ids)]);
    }
    let mut parts = beside(said);
    parts.push(Part::Bytes(ids));
    read(&parts)
}

fn has_beside(said: &Said<'_>) -> bool {
    said.beside.iter().any(|media| !media.is_empty())
}

/// Media beside a prompt come first: where in it they belong is not said, and what follows depends on them.
fn beside(said: &Said<'_>) -> Vec<Part<'static>> {
    let mut parts = Vec::new();
    said.beside.iter().for_each(|media| media::list(media, &mut parts));
    parts
}
