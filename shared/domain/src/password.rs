//! Passwords: which are taken, and what is kept of them: Argon2id, as OWASP advises it (19 MiB, two passes), in the PHC
//! string format.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::user::Email;

/// The shortest password, in characters.
pub const MIN_CHARS: usize = 10;
/// The longest, in bytes: longer ones would only cost time.
pub const MAX_BYTES: usize = 256;
/// How many random bytes hashing needs.
pub const SALT_BYTES: usize = 16;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// A hash that no password has, under the same parameters: held against what is typed where nobody is known, so that the
/// answer takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// The beginnings of those that are tried first, in lower case and without digits and signs at their ends.
const COMMON: [&str; 24] = [
    "",
    "password",
    "passwort",
    "passw0rd",
    "qwertyuiop",
    "qwerty",
    "qwertz",
    "azerty",
    "asdfghjkl",
    "zxcvbnm",
    "letmein",
    "welcome",
    "iloveyou",
    "admin",
    "administrator",
    "monkey",
    "dragon",
    "football",
    "superman",
    "trustno",
    "whatsapp",
    "changeme",
    "secret",
    "hantar",
];

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too short.
    #[error("must be at least {MIN_CHARS} characters")]
    Short,
    /// Too long.
    #[error("must not be greater than {MAX_BYTES} bytes")]
    Long,
    /// Among the first to be tried.
    #[error("is one of those that are guessed first; choose another one")]
    Common,
    /// The address, or a part of it.
    #[error("must not be made of the e-mail address")]
    Address,
}

/// Whether `password` is taken for somebody with this address.
pub fn check(password: &str, email: &Email) -> Result<(), Weak> {
    if password.chars().count() < MIN_CHARS {
        return Err(Weak::Short);
    }
    if password.len() > MAX_BYTES {
        return Err(Weak::Long);
    }
    let lower = password.to_lowercase();
    let core = lower.trim_matches(|c: char| !c.is_alphabetic());
    if COMMON.contains(&core) && !is_long_number(&lower) || is_monotonous(&lower) {
        return Err(Weak::Common);
    }
    let (name, _) = email.as_str().split_once('@').unwrap_or_default();
    if core == name || lower == email.as_str() || lower.trim_matches(|c: char| c.is_ascii_digit()) == name {
        return Err(Weak::Address);
    }
    Ok(())
}

/// Digits alone are a password if there are many and they vary.
fn is_long_number(text: &str) -> bool {
    text.chars().count() >= 16
}

/// Fewer than five different characters, or each one more or less than the one before.
fn is_monotonous(text: &str) -> bool {
    let mut letters: Vec<char> = text.chars().collect();
    let steps = letters.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])));
    let mut different: Vec<i64> = steps.collect();
    different.dedup();
    letters.sort_unstable();
    letters.dedup();
    letters.len() < 5 || different.len() < 3
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// What is kept of `password`. `None` only if there is no memory for it.
pub fn hash(password: &str, salt: &[u8; SALT_BYTES]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    hasher().hash_password(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

/// Whether `password` is the one that `kept` was made of. `None` stands for nobody: it takes as long, and is none.
pub fn verify(password: &str, kept: Option<&str>) -> bool {
    // What is longer is nobody's, and is not hashed.
    let password = if password.len() <= MAX_BYTES { password } else { "" };
    let Ok(parsed) = PasswordHash::new(kept.unwrap_or(NOBODY)) else { return false };
    let right = hasher().verify_password(password.as_bytes(), &parsed).is_ok();
    right && kept.is_some() && !password.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email() -> Email {
        Email::parse("ali.baba.shop@example.com").unwrap()
    }

    #[test]
    fn which_passwords_are_taken() {
        for (password, verdict) in [
            ("short", Err(Weak::Short)),
            ("ninechars", Err(Weak::Short)),
            ("correct horse", Ok(())),
            ("jg7-tlw-9QQ", Ok(())),
            ("pässwörter!", Ok(())),
            ("Password123", Err(Weak::Common)),
            ("!!QWERTY2026!!", Err(Weak::Common)),
            ("1234567890", Err(Weak::Common)),
            ("0987654321", Err(Weak::Common)),
            ("aaaaaaaaaaaa", Err(Weak::Common)),
            ("abababababab", Err(Weak::Common)),
            ("2718281828459045", Ok(())),
            ("ali.baba.shop@example.com", Err(Weak::Address)),
            ("ali.baba.shop99", Err(Weak::Address)),
        ] {
            assert_eq!(check(password, &email()), verdict, "{password}");
        }
        assert_eq!(check(&"long".repeat(65), &email()), Err(Weak::Long));
    }

    #[test]
    fn a_password_is_known_by_its_hash_and_no_other_is() {
        let kept = hash("correct horse", &[7; SALT_BYTES]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify("correct horse", Some(&kept)));
        assert!(!verify("Correct horse", Some(&kept)) && !verify("", Some(&kept)));
        assert_ne!(hash("correct horse", &[8; SALT_BYTES]).unwrap(), kept, "the salt is in it");
    }

    #[test]
    fn nobody_has_a_password_but_is_asked_for_it_all_the_same() {
        assert!(PasswordHash::new(NOBODY).is_ok(), "a real hash with the same parameters");
        assert!(!verify("", None) && !verify("correct horse", None));
        assert!(!verify("correct horse", Some("not a hash")));
    }
}
