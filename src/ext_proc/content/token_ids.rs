//! Token ids: [`TOKEN_ID_BYTES`] bytes each, so that it does not matter what the client writes between them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::TOKEN_ID_BYTES;

use super::media;

/// Stands between the lists of a batch; no vocabulary is that large, and nobody's id is taken for it.
const SEPARATOR: u32 = u32::MAX;

/// A thread's buffer is not kept beyond this size.
const KEPT_BYTES: usize = 4 << 20;

/// vLLM's media among token ids: a hash for each, and the ids that stand in for it.
#[derive(Default, Deserialize)]
pub struct Features<'a> {
    #[serde(borrow, default)]
    mm_hashes: BTreeMap<Cow<'a, str>, Vec<Option<Cow<'a, str>>>>,
    #[serde(borrow, default)]
    mm_placeholders: BTreeMap<Cow<'a, str>, Vec<Placeholder>>,
}

/// A range of token ids.
#[derive(Deserialize)]
struct Placeholder {
    offset: usize,
    length: usize,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Shows the bytes of a JSON list of token ids, or of a list of such lists; `None` if there is anything else in it.
///
/// Where `features` say that ids stand in for media, the media's hashes stand there instead.
pub fn with<T>(list: &str, features: &Features<'_>, read: impl FnOnce(Option<&[u8]>) -> T) -> T {
    BUFFER.with_borrow_mut(|ids| {
        ids.clear();
        let complete = flatten(list, ids).is_some();
        place(features, ids);
        let result = read(complete.then_some(&**ids));
        if ids.capacity() > KEPT_BYTES {
            *ids = Vec::new();
        }
        result
    })
}

impl<'a> Features<'a> {
    /// Reads the member of a body; `None` if we do not understand it, and so cannot tell one medium from another.
    pub fn read(json: Option<&'a str>) -> Option<Self> {
        json.map_or_else(|| Some(Self::default()), |json| serde_json::from_str(json).ok())
    }
}

fn flatten(list: &str, ids: &mut Vec<u8>) -> Option<()> {
    let mut id: Option<u32> = None;
    let mut depth = 0;
    for byte in list.bytes() {
        if let b'0'..=b'9' = byte {
            id = Some(id.unwrap_or(0).checked_mul(10)?.checked_add(u32::from(byte - b'0'))?);
            continue;
        }
        if let Some(id) = id.take() {
            push(id, ids).filter(|_| id != SEPARATOR)?;
        }
        match byte {
            b'[' if depth < 2 => {
                depth += 1;
                if depth == 2 && !ids.is_empty() {
                    push(SEPARATOR, ids)?;
                }
            }
            b']' => depth -= 1,
            b',' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return None,
        }
    }
    Some(())
}

fn push(id: u32, ids: &mut Vec<u8>) -> Option<()> {
    const { assert!(size_of::<u32>() == TOKEN_ID_BYTES) };
    ids.extend_from_slice(&id.to_le_bytes());
    Some(())
}

fn place(features: &Features<'_>, ids: &mut [u8]) {
    // Placeholders do not overlap; those that do anyway do not make us write more than there is.
    let mut left = ids.len() / TOKEN_ID_BYTES;
    for (kind, placeholders) in &features.mm_placeholders {
        let hashes = features.mm_hashes.get(kind).into_iter().flatten();
        for (placeholder, hash) in placeholders.iter().zip(hashes) {
            // One without a hash keeps its place beside the others.
            let Some(hash) = hash else { continue };
            let Some(rest) = left.checked_sub(placeholder.length) else { return };
            left = rest;
            let bytes = |count: usize| count.saturating_mul(TOKEN_ID_BYTES);
            let end = placeholder.offset.saturating_add(placeholder.length);
            let hash = media::hash(hash).to_le_bytes();
            for (byte, other) in
                ids.get_mut(bytes(placeholder.offset)..bytes(end)).into_iter().flatten().zip(hash.iter().cycle())
            {
                *byte = *other;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(list: &str) -> Option<Vec<u32>> {
        with(list, &Features::default(), |bytes| bytes.map(numbers))
    }

    fn numbers(bytes: &[u8]) -> Vec<u32> {
        bytes.chunks(4).map(|id| u32::from_le_bytes(id.try_into().expect("four bytes"))).collect()
    }

    #[test]
    fn ids_are_read_whatever_stands_between_them() {
        assert_eq!(ids("[1, 22,\n333 ]"), Some(vec![1, 22, 333]));
        assert_eq!(ids("[4294967294,0]"), Some(vec![u32::MAX - 1, 0]));
    }

    #[test]
    fn lists_are_joined_with_what_is_no_id() {
        assert_eq!(ids("[[1,2],[3],[ 4 ]]"), Some(vec![1, 2, SEPARATOR, 3, SEPARATOR, 4]));
        assert_ne!(ids("[[1,2],[3]]"), ids("[[1],[2,3]]"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for list in ["[-1]", "[1.5]", "[1e3]", "[4294967295]", "[4294967296]", "[99999999999999999999]", "[1,\"a\"]"] {
            assert_eq!(ids(list), None, "{list}");
        }
        assert_eq!((ids("[1,null]"), ids("[[[1]]]")), (None, None));
    }

    #[test]
    fn another_medium_makes_other_ids_where_it_stands_and_nowhere_else() {
        let read = |hash: &str, offset: usize, length: usize| {
            let features = format!(
                r#"{{"mm_hashes":{{"image":["{hash}"]}},"mm_placeholders":{{"image":[{{"offset":{offset},"length":{length}}}]}},"kwargs_data":null}}"#
            );
            let features = Features::read(Some(&features)).expect("features");
            with("[5,6,7,7,8]", &features, |bytes| numbers(bytes.expect("ids")))
        };
        let (one, other) = (read("3f9a", 2, 2), read("3f9b", 2, 2));
        assert_eq!((&one[..2], one[4], &other[..2], other[4]), (&[5, 6][..], 8, &[5, 6][..], 8));
        assert!(one[2..4] != other[2..4] && one == read("3f9a", 2, 2));
        assert_eq!(read("3f9a", 4, 2), [5, 6, 7, 7, 8], "a placeholder beyond the end means nothing");
        assert_eq!(read("3f9a", usize::MAX, usize::MAX), [5, 6, 7, 7, 8]);
    }

    #[test]
    fn a_medium_without_a_hash_leaves_the_others_in_their_places() {
        let read = |hashes: &str| {
            let places = r#"[{"offset":0,"length":1},{"offset":2,"length":2}]"#;
            let features = format!(r#"{{"mm_hashes":{{"image":{hashes}}},"mm_placeholders":{{"image":{places}}}}}"#);
            let features = Features::read(Some(&features)).expect("features");
            with("[7,5,7,7]", &features, |bytes| numbers(bytes.expect("ids")))
        };
        let (first, second) = (read(r#"["a",null]"#), read(r#"[null,"a"]"#));
        assert_eq!((&first[1..], &second[..2]), (&[5, 7, 7][..], &[7, 5][..]));
        assert!(first[0] != 7 && second[2..] != [7, 7]);
    }

    proptest! {
        #[test]
        fn longer_lists_have_the_same_bytes_in_front(short in prop::collection::vec(0..u32::MAX, 0..50), more in prop::collection::vec(0..u32::MAX, 0..50)) {
            let long: Vec<_> = short.iter().chain(&more).copied().collect();
            let read = |list: &[u32]| ids(&serde_json::to_string(list).expect("plain data"));
            prop_assert_eq!(read(&short), Some(short));
            prop_assert_eq!(read(&long), Some(long));
        }
    }
}
