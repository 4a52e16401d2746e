//! Texts to send again and again.

use crate::ids::{AccountId, TemplateId};
use crate::merge;
use crate::time::Timestamp;

/// How many templates an account may have.
pub const MAX_TEMPLATES: usize = 500;
/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 255;
/// The longest slug, in characters.
pub const MAX_SLUG_CHARS: usize = 100;

/// How much room a slug that is made of a name leaves for a number behind it.
const SUFFIX_CHARS: usize = 20;

/// A text with merge fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: TemplateId,
    /// What it is called.
    pub name: String,
    /// What programs call it. Unique in the account.
    pub slug: String,
    /// The text.
    pub body: String,
    /// Whether it may be used for new messages.
    pub is_active: bool,
    /// The approved template of Meta's that it stands for, by name, if any.
    pub meta_template: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

impl Template {
    /// The merge fields of its text, each once, in their order.
    pub fn fields(&self) -> Vec<String> {
        merge::fields(&self.body)
    }
}

/// Whether a text may be a slug: lower-case letters, digits, dashes and underscores, beginning with a letter or a digit.
pub fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_SLUG_CHARS
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'))
}

/// The slug that a name leads to; empty where it holds no Latin letter and no digit.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_SLUG_CHARS - SUFFIX_CHARS {
            break;
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The slugs to try for a template that was given none, in their order: the name's, then with a number behind it.
/// `id` is the last resort, which nobody else has.
pub fn slugs_for(name: &str, id: TemplateId) -> impl Iterator<Item = String> {
    let slug = slug_of(name);
    let base = if slug.is_empty() { "template".to_owned() } else { slug };
    let numbered = base.clone();
    let last = format!("{base}-t{id}");
    std::iter::once(base).chain((2..10).map(move |number| format!("{numbered}-{number}"))).chain(std::iter::once(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slug_is_made_of_the_names_letters_and_digits() {
        for (name, slug) in [
            ("Welcome Message", "welcome-message"),
            ("  Order #12: shipped! ", "order-12-shipped"),
            ("欢迎", ""),
            ("Hari Raya 欢迎 2026", "hari-raya-2026"),
            ("---", ""),
        ] {
            assert_eq!(slug_of(name), slug, "{name}");
        }
    }

    #[test]
    fn a_slug_is_plain() {
        for (text, sound) in [
            ("a", true),
            ("a-b_2", true),
            ("2", true),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a b", false),
            ("é", false),
        ] {
            assert_eq!(is_slug(text), sound, "{text}");
        }
        assert!(!is_slug(&"a".repeat(MAX_SLUG_CHARS + 1)));
    }

    proptest! {
        #[test]
        fn every_slug_that_is_tried_is_one(name in ".{0,300}", id in 1_u64..1 << 20) {
            let tried: Vec<_> = slugs_for(&name, TemplateId(id)).collect();
            prop_assert!(tried.iter().all(|slug| is_slug(slug)), "{tried:?}");
        }
    }
}
