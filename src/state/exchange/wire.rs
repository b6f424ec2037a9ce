//! The bytes of one update: `proto/homing/sync/v1/sync.proto`.

use prost::Message;
use prost::bytes::Buf;

use crate::proto::sync::Update;

use super::outbox::MAX_NEWS;

/// No update is longer, whatever an outbox holds and however many loads there are.
pub const MAX_BYTES: usize = 2 << 20;
/// More endpoints than any pool has.
pub const MAX_LOADS: usize = 1 << 14;
/// No chain is longer where it is made.
const MAX_HASHES: usize = 1 << 14;
/// Bytes of a replica's name. Pods have shorter ones, or they are cut.
pub const MAX_NAME: usize = 128;

/// Why bytes are no update.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// They are too many.
    #[error("{0} bytes are more than an update has")]
    TooLong(usize),
    /// They are no message of this kind.
    #[error("not an update: {0}")]
    Garbled(#[from] prost::DecodeError),
    /// It contradicts itself, or does not say who tells it.
    #[error("an update with {0}")]
    Nonsense(&'static str),
}

/// The bytes of `update`.
pub fn encode(update: &Update) -> Vec<u8> {
    update.encode_to_vec()
}

/// Reads one update. Fields that are not known are passed over: they are a newer release's.
///
/// # Errors
/// The bytes are something else; nothing of it may be taken in.
pub fn decode(bytes: &[u8]) -> Result<Update, Undecodable> {
    if bytes.len() > MAX_BYTES {
        return Err(Undecodable::TooLong(bytes.len()));
    }
    // Before the rest: two bytes of a message that is empty become fifty where it is decoded.
    let many = |number, most| messages(bytes, number) > most;
    if many(LOADS, MAX_LOADS) || many(BLOCKS, MAX_NEWS) || many(BINDINGS, MAX_NEWS) {
        return Err(Undecodable::Nonsense("more parts than an update has"));
    }
    let update = Update::decode(bytes)?;
    if update.replica == 0 || update.epoch == 0 || update.sequence == 0 {
        return Err(Undecodable::Nonsense("no sender"));
    }
    if update.name.len() > MAX_NAME {
        return Err(Undecodable::Nonsense("a name that no replica has"));
    }
    if update.blocks.iter().any(|blocks| !blocks.retracted && (blocks.depth as usize) < blocks.hashes.len()) {
        return Err(Undecodable::Nonsense("a chain that is shorter than its end"));
    }
    if update.blocks.iter().any(|blocks| blocks.hashes.len() > MAX_HASHES) {
        return Err(Undecodable::Nonsense("a chain that is longer than any"));
    }
    Ok(update)
}

/// Fields of [`Update`], as `sync.proto` numbers them.
const LOADS: u64 = 4;
const BLOCKS: u64 = 5;
const BINDINGS: u64 = 6;

/// How many messages `bytes` have in the field of this number. Where they are garbled it ends: decoding says so.
fn messages(mut bytes: &[u8], number: u64) -> usize {
    let mut count = 0;
    while bytes.has_remaining() {
        // A key is a varint, as a length is.
        let Ok(key) = prost::decode_length_delimiter(&mut bytes) else { break };
        let len = match key & 7 {
            0 => prost::decode_length_delimiter(&mut bytes).map(|_| 0),
            1 => Ok(8),
            2 => prost::decode_length_delimiter(&mut bytes),
            5 => Ok(4),
            // Groups: nobody writes them; what is in one is counted with the rest.
            _ => Ok(0),
        };
        count += usize::from(key as u64 >> 3 == number && key & 7 == 2);
        match len {
            Ok(len) if len <= bytes.remaining() => bytes.advance(len),
            _ => break,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::sync::{Binding, Blocks, Load};
    use proptest::prelude::*;

    fn update() -> Update {
        Update { replica: 7, epoch: 1, sequence: 1, ..Update::default() }
    }

    prop_compose! {
        fn loads()(endpoint: u64, waiting_tokens: u64, waiting_requests: u32, in_flight: u32) -> Load {
            Load { endpoint, waiting_tokens, waiting_requests, in_flight }
        }
    }

    prop_compose! {
        fn chains()(endpoint: u64, above in 0u32..1000, parent: u64, retracted: bool, credit: u32,
                    hashes in prop::collection::vec(any::<u64>(), 0..40)) -> Blocks {
            Blocks { endpoint, depth: above + hashes.len() as u32, parent, hashes, retracted, credit }
        }
    }

    prop_compose! {
        fn bindings()(key_high: u64, key_low: u64, endpoint: u64, clock: u64, writer: u32, ended: bool) -> Binding {
            Binding { key_high, key_low, endpoint, prompt_length: 5, answer_tokens: 6, clock, writer, ended }
        }
    }

    proptest! {
        #[test]
        fn an_update_comes_back_as_it_was(
            sequence in 1u64..,
            loads in prop::collection::vec(loads(), 0..5),
            blocks in prop::collection::vec(chains(), 0..5),
            bindings in prop::collection::vec(bindings(), 0..5),
            unplaced in prop::collection::vec(any::<u64>(), 0..3),
        ) {
            let update = Update { sequence, loads, blocks, bindings, unplaced, ..update() };
            prop_assert_eq!(decode(&encode(&update)), Ok(update));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_broken_update_is_an_error_or_an_update(
            blocks in prop::collection::vec(chains(), 1..4),
            place: prop::sample::Index,
            byte: u8,
            cut: prop::sample::Index,
        ) {
            let mut bytes = encode(&Update { blocks, ..update() });
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(update) = decode(&bytes) {
                prop_assert!(update.blocks.iter().all(|it| it.retracted || it.depth as usize >= it.hashes.len()));
            }
        }
    }

    /// One update as `sync.proto` writes it down, by hand; `more` ends each message in it.
    fn written(more: &[u8]) -> Vec<u8> {
        let wide = |key: u8, number: u64| [&[key][..], &number.to_le_bytes()].concat();
        let part = |key: u8, pieces: &[&[u8]]| {
            let bytes = [pieces.concat(), more.to_vec()].concat();
            [vec![key, bytes.len() as u8], bytes].concat()
        };
        [
            wide(0x09, 7),
            vec![0x10, 5, 0x18, 0xac, 0x02],
            part(0x22, &[&wide(0x09, 21), &[0x10, 22, 0x18, 23, 0x20, 24]]),
            part(
                0x2a,
                &[
                    &wide(0x09, 31),
                    &[0x10, 32],
                    &wide(0x19, 33),
                    &[0x22, 8],
                    &34u64.to_le_bytes(),
                    &[0x35, 37, 0, 0, 0],
                ],
            ),
            part(0x2a, &[&wide(0x09, 35), &[0x22, 8], &36u64.to_le_bytes(), &[0x28, 1, 0x35, 38, 0, 0, 0]]),
            part(
                0x32,
                &[
                    &wide(0x09, 41),
                    &wide(0x11, 42),
                    &wide(0x19, 43),
                    &[0x20, 44, 0x28, 45, 0x30, 46],
                    &[0x3d, 47, 0, 0, 0],
                ],
            ),
            part(0x32, &[&wide(0x11, 48), &[0x40, 1]]),
            [vec![0x3a, 8], 51u64.to_le_bytes().to_vec()].concat(),
            vec![0x45, 52, 0, 0, 0],
            vec![0x4a, 2, b'h', b'0', 0x50, 53, 0x5d, 54, 0, 0, 0, 0x60, 55],
        ]
        .concat()
    }

    #[test]
    fn the_bytes_are_those_of_the_first_release_and_parts_may_have_more_fields() {
        let told = Update {
            replica: 7,
            epoch: 5,
            sequence: 300,
            loads: vec![Load { endpoint: 21, waiting_tokens: 22, waiting_requests: 23, in_flight: 24 }],
            blocks: vec![
                Blocks { endpoint: 31, depth: 32, parent: 33, hashes: vec![34], retracted: false, credit: 37 },
                Blocks { endpoint: 35, depth: 0, parent: 0, hashes: vec![36], retracted: true, credit: 38 },
            ],
            bindings: vec![
                Binding {
                    key_high: 41,
                    key_low: 42,
                    endpoint: 43,
                    prompt_length: 44,
                    answer_tokens: 45,
                    clock: 46,
                    writer: 47,
                    ended: false,
                },
                Binding { key_low: 48, ended: true, ..Binding::default() },
            ],
            unplaced: vec![51],
            digest_key: 52,
            name: "h0".to_owned(),
            waited_micros: 53,
            cut: 54,
            retold: 55,
        };
        assert_eq!(encode(&told), written(&[]));
        assert_eq!(decode(&written(&[0xa2, 0x06, 3, b'n', b'e', b'w', 0xa8, 0x06, 9])), Ok(told));
    }

    #[test]
    fn fields_of_a_newer_release_are_passed_over() {
        let known = Update { loads: vec![Load { endpoint: 1, in_flight: 2, ..Load::default() }], ..update() };
        let mut bytes = encode(&known);
        // Field 100 as bytes, 101 as a number.
        bytes.extend_from_slice(&[0xa2, 0x06, 3, b'n', b'e', b'w', 0xa8, 0x06, 9]);
        assert_eq!(decode(&bytes), Ok(known));
    }

    #[test]
    fn a_flood_of_empty_parts_is_refused_and_what_an_outbox_holds_is_not() {
        let load =
            Load { endpoint: u64::MAX, waiting_tokens: u64::MAX, waiting_requests: u32::MAX, in_flight: u32::MAX };
        let chain = Blocks {
            endpoint: u64::MAX,
            depth: MAX_HASHES as u32,
            parent: u64::MAX,
            hashes: vec![1; 8],
            retracted: true,
            credit: u32::MAX,
        };
        let binding = Binding {
            key_high: u64::MAX,
            key_low: u64::MAX,
            endpoint: u64::MAX,
            prompt_length: u32::MAX,
            answer_tokens: u32::MAX,
            clock: u64::MAX,
            writer: u32::MAX,
            ended: true,
        };
        let full = Update {
            loads: vec![load; MAX_LOADS],
            blocks: vec![chain; MAX_NEWS],
            bindings: vec![binding; MAX_NEWS],
            unplaced: vec![u64::MAX; 256],
            digest_key: u32::MAX,
            name: "n".repeat(MAX_NAME),
            waited_micros: u32::MAX,
            cut: u32::MAX,
            retold: u32::MAX,
            ..update()
        };
        let bytes = encode(&full);
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        assert_eq!(decode(&bytes).as_ref(), Ok(&full));
        for (key, most) in [(0x22, MAX_LOADS), (0x2a, MAX_NEWS), (0x32, MAX_NEWS)] {
            let parts = |count: usize| [encode(&update()), [key, 0].repeat(count)].concat();
            assert!(decode(&parts(most)).is_ok(), "{key}");
            assert!(matches!(decode(&parts(most + 1)), Err(Undecodable::Nonsense(_))), "{key}");
        }
        let long = Blocks { retracted: true, hashes: vec![1; MAX_HASHES + 1], ..Blocks::default() };
        assert!(matches!(decode(&encode(&Update { blocks: vec![long], ..update() })), Err(Undecodable::Nonsense(_))));
    }

    #[test]
    fn what_contradicts_itself_has_no_sender_or_is_endless_is_refused() {
        let named = |len| Update { name: "n".repeat(len), ..update() };
        assert!(decode(&encode(&named(MAX_NAME))).is_ok() && decode(&encode(&named(MAX_NAME + 1))).is_err());
        let short = Blocks { depth: 1, hashes: vec![1, 2], ..Blocks::default() };
        assert!(matches!(
            decode(&encode(&Update { blocks: vec![short.clone()], ..update() })),
            Err(Undecodable::Nonsense(_))
        ));
        assert!(decode(&encode(&Update { blocks: vec![Blocks { retracted: true, ..short }], ..update() })).is_ok());
        for nobody in [Update { replica: 0, ..update() }, Update { epoch: 0, ..update() }, Update::default()] {
            assert!(decode(&encode(&nobody)).is_err());
        }
        assert_eq!(decode(&vec![0; MAX_BYTES + 1]), Err(Undecodable::TooLong(MAX_BYTES + 1)));
    }
}
