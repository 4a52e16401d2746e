//! Files that an account puts in or takes out, and how far the work on one is.

/// The kinds of files that are read and made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Rows of text.
    Csv,
    /// A workbook of a spreadsheet program; its first sheet counts.
    Xlsx,
}

/// How far the work on a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The file is not there yet, or nobody said what to do with it.
    Waiting,
    /// It is worked on.
    Running,
    /// It is done.
    Completed,
    /// It was given up.
    Failed,
}

/// A file that is made piece by piece. Each piece but the last is long enough to be joined to others without being
/// read again; the last one is replaced, under another name, by a longer one until it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// The names of the pieces, in their order.
    pub names: Vec<String>,
    /// How long the last piece is, while it is too short: it is replaced next.
    pub short: Option<u64>,
}

impl FileFormat {
    /// As written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    /// Reads what [`Self::word`] writes.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Csv, Self::Xlsx].into_iter().find(|format| format.word() == word)
    }

    /// What a file of this name holds, as far as its ending says.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        }
    }
}

impl Stage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Completed, Self::Failed];

    /// As written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`Self::word`] writes.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.word() == word)
    }
}

/// A text that no spreadsheet program takes for a formula: where one would, an apostrophe stands in front.
pub fn guarded(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// Takes away the apostrophe that [`guarded`] put in front.
pub fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(text)
}

/// Numbers in any spelling compute nothing but numbers.
fn is_formula(text: &str) -> bool {
    let is_number = text.chars().all(|c| c.is_ascii_digit() || "+-(). ".contains(c));
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ending_of_a_name_says_the_format() {
        for (name, format) in [
            ("a.csv", Some(FileFormat::Csv)),
            ("A.B.TSV", Some(FileFormat::Csv)),
            ("a.XLSX", Some(FileFormat::Xlsx)),
            ("a.xls", None),
            ("csv", None),
        ] {
            assert_eq!(FileFormat::of_name(name), format, "{name}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_word(stage.word()), Some(stage));
        }
        assert_eq!(FileFormat::from_word("xlsx"), Some(FileFormat::Xlsx));
        assert_eq!((Stage::from_word("done"), FileFormat::from_word("xls")), (None, None));
    }

    #[test]
    fn what_could_compute_is_guarded_and_numbers_are_not() {
        for text in ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+A1"] {
            assert_eq!(guarded(text), format!("'{text}"));
        }
        for text in ["+60 12-345 6789", "-5", "Ali", "", "'s"] {
            assert_eq!(guarded(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_guarded_text_is_no_formula_and_comes_back(text in "[=+@'\t\r-]{0,2}.{0,5}") {
            let guarded = guarded(&text);
            prop_assert!(!is_formula(&guarded));
            if !text.starts_with('\'') {
                prop_assert_eq!(unguarded(&guarded), &text);
            }
        }
    }
}
