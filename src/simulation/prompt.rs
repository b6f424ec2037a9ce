//! How a chat becomes the text that a model sees, in ChatML's manner.

/// A rendered prompt that grows turn by turn; tools go in as the first turn.
#[derive(Debug, Default)]
pub struct Prompt(String);

impl Prompt {
    /// Adds one turn; its content may come in pieces.
    pub fn turn(&mut self, role: &str, content: &[&str]) {
        for piece in ["<|im_start|>", role, "\n"].iter().chain(content).chain(&["<|im_end|>\n"]) {
            self.0.push_str(piece);
        }
    }

    /// Ends with the words after which the model speaks.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push_str("<|im_start|>assistant\n");
        self.0.into_bytes()
    }
}
