//! What a contact is found by: the beginnings of its name's words, and its number in any spelling or by its last digits.

use icu_normalizer::DecomposingNormalizerBorrowed;

use crate::phone::{PhoneNumber, Region};

/// Under how many words a contact is found at most.
pub const MAX_WORDS: usize = 12;
/// How much of a word counts, in characters.
const MAX_WORD_CHARS: usize = 32;
/// How few last digits a number is found by.
const FEWEST_DIGITS: usize = 3;
/// How many digits a search may have: some more than a number.
const MOST_DIGITS: usize = 20;
/// How much of a search's text is looked at, in characters.
const MAX_SEARCH_CHARS: usize = 255;

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// Numbers that end in these digits: a whole number ends in itself.
    Digits(String),
    /// Names in which each of these begins a word. None at all finds nobody.
    Words(Vec<String>),
}

impl Search {
    /// Reads what somebody typed. A number is read as one of `regions`, the first of which is home.
    pub fn parse(text: &str, regions: &[Region]) -> Self {
        let text: String = text.chars().take(MAX_SEARCH_CHARS).collect();
        let plain = decomposed(&text);
        let digits: String = plain.chars().filter(char::is_ascii_digit).collect();
        let spelled = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-().".contains(c);
        if !plain.chars().all(spelled) || !(FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len()) {
            return Self::Words(words(&text));
        }
        // A trunk zero or an exit code is no part of a number as it is kept.
        match PhoneNumber::parse(&text, regions) {
            Ok(number) if digits.starts_with('0') => Self::Digits(number.digits().to_owned()),
            _ => Self::Digits(digits),
        }
    }
}

/// The words that a name is found by: in lower case, without accents, each once, in order of the name. What is written
/// without spaces is found from each character on.
pub fn words(name: &str) -> Vec<String> {
    let folded = fold(name);
    let mut words: Vec<String> = Vec::new();
    for word in folded.split(is_between).filter(|word| !word.is_empty()) {
        let later = word.char_indices().skip(1).filter(|(_, c)| is_ideograph(*c)).map(|(at, _)| at);
        for start in std::iter::once(0).chain(later) {
            let word: String = word[start..].chars().take(MAX_WORD_CHARS).collect();
            if words.len() < MAX_WORDS && !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words
}

/// A text such that those who mean the same write the same: compatible forms as one, lower case, no accents.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in decomposed(text).chars().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'đ' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            other if is_accent(other) => {}
            other => folded.push(other),
        }
    }
    folded
}

fn decomposed(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfkd().normalize(text).into_owned()
}

/// Marks that people leave out when they type: accents of Latin, Greek and Cyrillic, Arabic vowels, variants of symbols.
/// Vowel signs of Indian scripts are letters, and stay.
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{fe00}'..='\u{fe0f}')
}

/// What stands between words.
fn is_between(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || c.is_ascii_punctuation()
        || matches!(
            c,
            '\u{a1}'..='\u{bf}' | '\u{60c}' | '\u{61b}' | '\u{61f}' | '\u{2000}'..='\u{206f}' | '\u{20a0}'..='\u{2bff}'
                | '\u{3000}'..='\u{303f}' | '\u{30fb}' | '\u{1f000}'..='\u{1faff}'
        )
}

const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_words_however_they_are_written() {
        for (name, expected) in [
            ("Ali bin Abu", vec!["ali", "bin", "abu"]),
            ("  ALI   Ali ", vec!["ali"]),
            ("José Ångström-Łódź", vec!["jose", "angstrom", "lodz"]),
            ("Straße İstanbul", vec!["strasse", "istanbul"]),
            ("O'Brien a/l Muthu 🎉", vec!["o", "brien", "a", "l", "muthu"]),
            ("李小明", vec!["李小明", "小明", "明"]),
            ("\u{ff21}\u{ff4c}\u{ff49}", vec!["ali"]),
            ("مُحَمَّد", vec!["محمد"]),
            ("शर्मा जी", vec!["शर्मा", "जी"]),
            ("முருகன்", vec!["முருகன்"]),
            ("Kedai 99", vec!["kedai", "99"]),
            ("!?", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_has_a_bounded_number_of_words_of_bounded_length() {
        let many: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
        assert_eq!(words(&many.join(" ")).len(), MAX_WORDS);
        assert_eq!(words(&"明".repeat(100)).iter().map(|word| word.chars().count()).max(), Some(MAX_WORD_CHARS));
    }

    #[test]
    fn a_number_is_searched_in_any_spelling_or_by_its_last_digits() {
        for (text, digits) in [
            ("0123456789", "60123456789"),
            ("012-345 6789", "60123456789"),
            ("+60 12-345 6789", "60123456789"),
            ("0060123456789", "60123456789"),
            ("60123456789", "60123456789"),
            ("123456789", "123456789"),
            ("6789", "6789"),
            ("345 6789", "3456789"),
            ("+6591234567", "6591234567"),
            ("\u{ff16}\u{ff17}\u{ff18}", "678"),
        ] {
            assert_eq!(Search::parse(text, &[Region::MALAYSIA]), Search::Digits(digits.into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_searched_as_words() {
        for (text, expected) in [
            ("ali ab", vec!["ali", "ab"]),
            ("99", vec!["99"]),
            ("Ali 0123456789", vec!["ali", "0123456789"]),
            ("?", vec![]),
            (&"1".repeat(21), vec!["111111111111111111111"]),
        ] {
            let expected = Search::Words(expected.into_iter().map(str::to_owned).collect());
            assert_eq!(Search::parse(text, &[Region::MALAYSIA]), expected, "{text}");
        }
    }
}
