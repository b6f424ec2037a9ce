//! Whose a session is, by the header of `sessions.tenantHeader`.

use super::super::header::{LONGEST_ID, visible};

/// What the tenant header says.
#[derive(Clone, Copy, Default)]
pub enum Tenant<'a> {
    /// It did not come.
    #[default]
    None,
    /// These bytes.
    Of(&'a [u8]),
    /// Nothing, or one thing and another.
    Unclear,
}

impl<'a> Tenant<'a> {
    /// One more header with this value.
    pub fn and(self, value: &'a [u8]) -> Self {
        match self {
            Self::None if !value.is_empty() => Self::Of(value),
            Self::Of(other) if other == value => self,
            _ => Self::Unclear,
        }
    }

    /// The tenant's name, a digest of one that is no word; `None` if it cannot be told.
    pub fn text(self) -> Option<Box<str>> {
        match self {
            Self::None => Some("".into()),
            Self::Of(value) => Some(match visible(value, LONGEST_ID) {
                Some(word) => word.into(),
                // No word holds a space, so this is nobody else's name.
                None => format!("blake3 {}", blake3::hash(value).to_hex()).into(),
            }),
            Self::Unclear => None,
        }
    }
}
