//! Text that came from people, made safe between tags and in attributes.

use std::fmt::{self, Display, Formatter};

/// Writes a text so that it is read as text, wherever it stands.
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // Nothing that a page may not hold.
            letter if letter.is_control() => f.write_str(" "),
            letter => write!(f, "{letter}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_tag_or_ends_an_attribute() {
        let said = Escaped("<b a=\"1\" c='2'>\u{0} & &amp;").to_string();
        assert_eq!(said, "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;  &amp; &amp;amp;");
    }
}
