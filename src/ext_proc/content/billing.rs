//! Claude Code's billing block, which is no part of the prompt.
//!
//! Its first system block holds a number that is another one in every request. vLLM leaves the block out of what it
//! renders, so we leave it out of what we hash; else no request would share a block with the one before.

use super::cursor::Cursor;

/// How the block's text begins.
const BILLING: &str = "x-anthropic-billing-header:";

/// A list of system blocks without a first block for billing; anything else as it is.
pub fn without(system: &str) -> &str {
    after_billing(system).unwrap_or(system)
}

fn after_billing(system: &str) -> Option<&str> {
    let mut cursor = Cursor::new(system);
    cursor.enter(b'[')?;
    cursor.enter(b'{')?;
    let mut is_billing = false;
    while cursor.peek()? == b'"' {
        if cursor.word()? == "text" && cursor.peek()? == b'"' {
            is_billing = cursor.word()?.starts_with(BILLING);
        } else {
            cursor.skip()?;
        }
    }
    cursor.enter(b'}')?;
    is_billing.then(|| cursor.rest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_block_for_billing_is_left_out() {
        let billing = r#"{"type":"text","text":"x-anthropic-billing-header: cch=1;"}"#;
        let prompt = r#"{"type":"text","text":"You are a pigeon."}"#;
        assert_eq!(without(&format!("[{billing},{prompt}]")), format!(",{prompt}]"));
        assert_eq!(without(&format!(" [ {billing} ]")), " ]");
        for kept in [
            format!("[{prompt},{billing}]"),
            format!("[{prompt}]"),
            "\"x-anthropic-billing-header: cch=1;\"".into(),
            "[]".into(),
            "[{}]".into(),
            "[{\"text\":null}]".into(),
            String::new(),
        ] {
            assert_eq!(without(&kept), kept);
        }
    }
}
