//! The bytes of one update: `proto/homing/sync/v1/sync.proto`.

use prost::Message;

use crate::proto::sync::Update;

/// No update is longer: an outbox holds half of this, and a decoder's work is bounded.
pub const MAX_BYTES: usize = 2 << 20;

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
    let update = Update::decode(bytes)?;
    if update.replica == 0 || update.epoch == 0 || update.sequence == 0 {
        return Err(Undecodable::Nonsense("no sender"));
    }
    if update.blocks.iter().any(|blocks| !blocks.retracted && (blocks.depth as usize) < blocks.hashes.len()) {
        return Err(Undecodable::Nonsense("a chain that is shorter than its end"));
    }
    Ok(update)
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
        fn chains()(endpoint: u64, above in 0u32..1000, parent: u64, retracted: bool,
                    hashes in prop::collection::vec(any::<u64>(), 0..40)) -> Blocks {
            Blocks { endpoint, depth: above + hashes.len() as u32, parent, hashes, retracted }
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

    #[test]
    fn fields_of_a_newer_release_are_passed_over() {
        let known = Update { loads: vec![Load { endpoint: 1, in_flight: 2, ..Load::default() }], ..update() };
        let mut bytes = encode(&known);
        // Field 100 as bytes, 101 as a number.
        bytes.extend_from_slice(&[0xa2, 0x06, 3, b'n', b'e', b'w', 0xa8, 0x06, 9]);
        assert_eq!(decode(&bytes), Ok(known));
    }

    #[test]
    fn what_contradicts_itself_has_no_sender_or_is_endless_is_refused() {
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
