//! Token ids without a tokenizer: an id is the bytes of its token, read as a number.
//!
//! So an answer that comes back as ids is, to the cache, the answer that was given. Exact from 1 to 8 bytes
//! a token; of a longer token the id keeps the beginning.

/// The text of ids, one token's bytes for each.
pub fn to_text(ids: &[u64], bytes_per_token: usize) -> Vec<u8> {
    let bytes = |id: &u64| id.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(bytes_per_token);
    ids.iter().flat_map(bytes).collect()
}

/// The ids of a text of whole tokens.
pub fn of_text(text: &str, bytes_per_token: usize) -> Vec<u64> {
    let id = |token: &[u8]| {
        let mut bytes = [0; 8];
        let kept = token.len().min(bytes.len());
        bytes[..kept].copy_from_slice(&token[..kept]);
        u64::from_le_bytes(bytes)
    };
    text.as_bytes().chunks(bytes_per_token).map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::words::Words;

    #[test]
    fn an_answer_that_comes_back_as_ids_is_the_answer_that_was_given() {
        for bytes_per_token in 1..=8 {
            let text = Words::seeded(b"why", bytes_per_token).text(5);
            let ids = of_text(&text, bytes_per_token);
            assert_eq!((ids.len(), to_text(&ids, bytes_per_token)), (5, text.into_bytes()));
        }
    }

    #[test]
    fn every_id_counts_as_one_token() {
        for bytes_per_token in [1, 4, 8, 11] {
            assert_eq!(to_text(&[0, 9906, u64::MAX], bytes_per_token).len(), 3 * bytes_per_token);
        }
    }
}
