//! Who agreed to be written to, and who asked not to be: what people say, and what follows from it.

mod words;

use std::time::Duration;

use icu_normalizer::DecomposingNormalizerBorrowed;

use crate::ids::{MessageId, UserId};
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

pub use words::Language;

/// How long somebody who wrote may be answered, although they asked not to be written to.
pub const ANSWERED: Duration = Duration::from_hours(24);
/// How many words an account may add on each side.
pub const MAX_WORDS: usize = 100;
/// The longest word, in characters. What is longer is a message.
pub const MAX_WORD_CHARS: usize = 64;
/// The longest evidence that is kept of what somebody said, in characters.
pub const MAX_NOTE_CHARS: usize = 500;

/// What somebody said about being written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// That they agree.
    In,
    /// That they do not.
    Out,
}

impl Said {
    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "opted_in",
            Self::Out => "opted_out",
        }
    }

    /// What this word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::In, Self::Out].into_iter().find(|said| said.word() == word)
    }
}

/// How it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// They wrote it, in this message.
    Message(MessageId),
    /// This person of the account said so.
    Person(UserId),
    /// Their contact was changed so.
    Contact,
    /// It stood in a file that was read in.
    Import,
}

impl Source {
    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Person(_) => "api",
            Self::Contact => "contact",
            Self::Import => "import",
        }
    }

    /// What tells an entry from others of the same number and moment: the same for whatever is entered again.
    pub fn name(self) -> String {
        match self {
            Self::Message(message) => format!("m{message}"),
            Self::Person(user) => format!("u{user}"),
            Self::Contact => "c".to_owned(),
            Self::Import => "i".to_owned(),
        }
    }
}

/// One entry of the consent ledger. Entries are added and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Whose.
    pub phone: PhoneNumber,
    /// What they said.
    pub said: Said,
    /// How it is known.
    pub source: Source,
    /// The words themselves, or what whoever told us says about them: "web form of 2026-11-20".
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether it changed anything: it was not so before.
    pub turned: bool,
}

/// What an account has decided about consent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Words that count as "do not write to me", beside those that everybody has.
    pub stop_words: Vec<String>,
    /// Words that count as "write to me again", beside those that everybody has.
    pub start_words: Vec<String>,
    /// What somebody who opted out is answered.
    pub confirmation: Confirmation,
}

/// What somebody who opted out by a message is answered, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Confirmation {
    /// The house's own text, in the language of the word.
    #[default]
    Standard,
    /// This.
    Text(String),
    /// Nothing.
    Silence,
}

/// What a message says about being written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What.
    pub said: Said,
    /// In which language; `None` for a word of the account's own.
    pub language: Option<Language>,
}

impl Settings {
    /// What a message says, being nothing but one of the words. A word within a sentence says nothing.
    pub fn hear(&self, text: &str) -> Option<Heard> {
        if text.chars().count() > 2 * MAX_WORD_CHARS {
            return None;
        }
        let text = fold(text);
        if text.is_empty() {
            return None;
        }
        let known = |said: Said| {
            let language = Language::ALL.into_iter().find(|language| language.has(said, &text))?;
            Some(Heard { said, language: Some(language) })
        };
        let own = |words: &[String], said: Said| {
            words.iter().any(|word| fold(word) == text).then_some(Heard { said, language: None })
        };
        known(Said::Out)
            .or_else(|| own(&self.stop_words, Said::Out))
            .or_else(|| known(Said::In))
            .or_else(|| own(&self.start_words, Said::In))
    }

    /// What somebody who opted out is answered.
    pub fn confirmation(&self, heard: Heard) -> Option<String> {
        match &self.confirmation {
            Confirmation::Standard => Some(heard.language.unwrap_or(Language::English).confirmation().to_owned()),
            Confirmation::Text(text) => Some(text.clone()),
            Confirmation::Silence => None,
        }
    }
}

/// Whether a text may be heard as a word at all.
pub fn may_be_word(text: &str) -> bool {
    text.chars().count() <= 2 * MAX_WORD_CHARS && !fold(text).is_empty()
}

/// Whether everybody's words have this one on the other side.
pub fn contradicts(said: Said, word: &str) -> bool {
    let other = if said == Said::In { Said::Out } else { Said::In };
    let word = fold(word);
    Language::ALL.into_iter().any(|language| language.has(other, &word))
}

/// What a number last said, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What.
    pub said: Said,
    /// How it is known.
    pub source: Source,
    /// When.
    pub at: Timestamp,
}

/// Whether somebody may be written to at `now` by a message of its own. Whoever opted out may be answered for a day after
/// they wrote; but the message that says "stop" asks for no answer.
pub fn may_be_sent_to(standing: Option<&Standing>, wrote_at: Option<Timestamp>, now: Timestamp) -> bool {
    let Some(out) = standing.filter(|standing| standing.said == Said::Out) else { return true };
    wrote_at.is_some_and(|at| {
        let is_the_word = matches!(out.source, Source::Message(_)) && at <= out.at;
        at + ANSWERED >= now && !is_the_word
    })
}

/// The same word for every spelling of it: small letters, no accents, no signs, single spaces.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars());
    for letter in decomposed.flat_map(char::to_lowercase) {
        if is_passed_over(letter) {
            continue;
        }
        if letter.is_alphanumeric() || is_sign_of_a_letter(letter) {
            folded.push(letter);
        } else if !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Accents, Arabic vowel signs and stretchers, apostrophes, and what has no width.
const fn is_passed_over(letter: char) -> bool {
    matches!(
        letter,
        '\u{300}'..='\u{36f}'
            | '\u{640}'
            | '\u{64b}'..='\u{65f}'
            | '\u{670}'
            | '\''
            | '\u{2018}'
            | '\u{2019}'
            | '\u{2bc}'
            | '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'
            | '\u{feff}'
    )
}

/// Signs of the scripts of India that are part of a letter, but for the full stop.
const fn is_sign_of_a_letter(letter: char) -> bool {
    matches!(letter, '\u{900}'..='\u{963}' | '\u{966}'..='\u{dff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(text: &str) -> Option<(Said, Option<Language>)> {
        Settings::default().hear(text).map(|heard| (heard.said, heard.language))
    }

    #[test]
    fn one_word_is_heard_in_every_language_and_spelling() {
        for (text, language) in [
            ("STOP", Language::English),
            (" Stop! ", Language::English),
            ("\u{ff33}\u{ff34}\u{ff2f}\u{ff30}", Language::English),
            ("\u{1f6d1} stop \u{1f6d1}", Language::English),
            ("Opt-out.", Language::English),
            ("don't contact me", Language::English),
            ("Berhenti", Language::Malay),
            ("UNREG", Language::Indonesian),
            ("退订", Language::Chinese),
            ("取消訂閱！", Language::Chinese),
            ("நிறுத்து", Language::Tamil),
            ("إلغاء الاشتراك", Language::Arabic),
            ("الغاء الاشتراك", Language::Arabic),
            ("تَوَقَّفْ", Language::Arabic),
            ("BAJA", Language::Spanish),
            ("no más mensajes", Language::Spanish),
            ("no mas mensajes", Language::Spanish),
            ("Pare", Language::Portuguese),
            ("बंद करें।", Language::Hindi),
        ] {
            assert_eq!(heard(text), Some((Said::Out, Some(language))), "{text}");
        }
        for (text, language) in [
            ("start", Language::English),
            ("Mula", Language::Malay),
            ("mulai", Language::Indonesian),
            ("开始", Language::Chinese),
            ("தொடங்கு", Language::Tamil),
            ("ابدأ", Language::Arabic),
            ("Alta", Language::Spanish),
            ("começar", Language::Portuguese),
            ("शुरू", Language::Hindi),
        ] {
            assert_eq!(heard(text), Some((Said::In, Some(language))), "{text}");
        }
    }

    #[test]
    fn a_word_within_a_sentence_says_nothing() {
        for text in [
            "",
            "...",
            "please do not stop by before noon",
            "when does the offer end?",
            "start at nine",
            "bus stop",
            "nonstop",
            "yes",
            &"stop ".repeat(100),
        ] {
            assert_eq!(heard(text), None, "{text}");
        }
    }

    #[test]
    fn an_account_adds_words_of_its_own() {
        let settings =
            Settings { stop_words: vec!["Taknak".into()], start_words: vec!["Nak Lagi".into()], ..Settings::default() };
        assert_eq!(settings.hear("TAKNAK!"), Some(Heard { said: Said::Out, language: None }));
        assert_eq!(settings.hear("nak  lagi"), Some(Heard { said: Said::In, language: None }));
        assert_eq!(settings.hear("stop").map(|heard| heard.said), Some(Said::Out), "everybody's words stay");
    }

    #[test]
    fn a_confirmation_is_in_the_language_of_the_word_unless_the_account_has_its_own() {
        let stop = |settings: &Settings, text: &str| settings.confirmation(settings.hear(text).unwrap());
        let standard = Settings::default();
        assert_eq!(stop(&standard, "berhenti").as_deref(), Some(Language::Malay.confirmation()));
        let own = Settings { confirmation: Confirmation::Text("Bye".into()), ..Settings::default() };
        assert_eq!(stop(&own, "berhenti").as_deref(), Some("Bye"));
        let silent = Settings { confirmation: Confirmation::Silence, ..Settings::default() };
        assert_eq!(stop(&silent, "stop"), None);
    }

    #[test]
    fn no_word_stands_on_both_sides_and_each_is_heard() {
        for language in Language::ALL {
            for said in [Said::In, Said::Out] {
                for word in language.words(said) {
                    assert_eq!(heard(word).map(|(said, _)| said), Some(said), "{word}");
                    assert!(!contradicts(said, word), "{word}");
                    assert!(may_be_word(word), "{word}");
                }
            }
        }
    }

    #[test]
    fn each_confirmation_names_a_word_that_leads_back() {
        for language in Language::ALL {
            let words = fold(language.confirmation());
            let named = language.words(Said::In).iter().any(|word| words.contains(&fold(word)));
            assert!(named, "{}", language.code());
        }
    }

    #[test]
    fn whoever_opted_out_may_be_answered_for_a_day_but_not_for_saying_stop() {
        let hour = |hours: u64| Timestamp(0) + Duration::from_hours(hours);
        let out = |source, at| Standing { said: Said::Out, source, at };
        let by_message = out(Source::Message(MessageId(1)), hour(10));
        let by_person = out(Source::Person(UserId(1)), hour(10));
        let back = Standing { said: Said::In, ..by_message };
        for (standing, wrote_at, now, may) in [
            (None, None, hour(11), true),
            (Some(back), None, hour(11), true),
            (Some(by_message), None, hour(11), false),
            (Some(by_message), Some(hour(10)), hour(11), false),
            (Some(by_message), Some(hour(11)), hour(12), true),
            (Some(by_message), Some(hour(11)), hour(35), true),
            (Some(by_message), Some(hour(11)), hour(36), false),
            (Some(by_person), Some(hour(9)), hour(11), true),
            (Some(by_person), None, hour(11), false),
        ] {
            assert_eq!(may_be_sent_to(standing.as_ref(), wrote_at, now), may, "{standing:?} {wrote_at:?} {now:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing_more(text in ".{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
