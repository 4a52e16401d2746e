//! The second factor: codes of an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds, which all apps know), and
//! recovery codes for when the phone is gone.

use std::fmt;

use sha2::{Digest, Sha256};
use totp_rs::{Algorithm, TOTP};
use url::form_urlencoded::byte_serialize;

use crate::time::Timestamp;
use crate::user::Email;

/// How many random bytes a secret needs.
pub const SECRET_BYTES: usize = 20;
/// How many recovery codes somebody has.
pub const RECOVERY_CODES: usize = 8;
/// How many random bytes a recovery code needs.
pub const RECOVERY_BYTES: usize = 16;

const STEP_SECONDS: u64 = 30;
const DIGITS: usize = 6;
/// Without those that look like others.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What an authenticator app makes its codes of. Stored sealed, shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret([u8; SECRET_BYTES]);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

impl TotpSecret {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed.
    pub const fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    fn totp(&self) -> Option<TOTP> {
        TOTP::new(Algorithm::SHA1, DIGITS, 1, STEP_SECONDS, self.0.to_vec()).ok()
    }

    /// As people type it into an app.
    pub fn shown(&self) -> String {
        self.totp().map(|totp| totp.get_secret_base32()).unwrap_or_default()
    }

    /// As an app reads it from a QR code.
    pub fn url(&self, email: &Email) -> String {
        let email: String = byte_serialize(email.as_str().as_bytes()).collect();
        let secret = self.shown();
        format!("otpauth://totp/Hantar:{email}?secret={secret}&issuer=Hantar")
    }

    /// Which step a code is of, if it is of this moment or up to half a minute beside it, and of a later step than `after`:
    /// a code that was used once is used up.
    pub fn step_of(&self, code: &str, now: Timestamp, after: u64) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let now = u64::try_from(now.seconds()).ok()? / STEP_SECONDS;
        let totp = self.totp()?;
        // Digests are compared, so that the time it takes tells nothing of the code.
        let same = |step: u64| Sha256::digest(totp.generate(step * STEP_SECONDS)) == Sha256::digest(&code);
        (now.saturating_sub(1)..=now + 1).filter(|step| *step > after).find(|step| same(*step))
    }

    /// The code of a moment, as the app shows it.
    pub fn code_at(&self, at: Timestamp) -> String {
        let seconds = u64::try_from(at.seconds()).unwrap_or(0);
        self.totp().map(|totp| totp.generate(seconds)).unwrap_or_default()
    }
}

/// A code that works once instead of the app's. Shown once, kept as a hash; 80 random bits need no salt.
pub fn recovery_code(random: &[u8; RECOVERY_BYTES]) -> String {
    let letters: Vec<char> = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    letters.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What is kept of a recovery code, in whatever way it was typed.
pub fn recovery_hash(code: &str) -> [u8; 32] {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Sha256::digest(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B.
    fn secret() -> TotpSecret {
        TotpSecret(*b"12345678901234567890")
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let at = Timestamp::from_seconds(seconds);
            assert_eq!(secret().code_at(at), code);
            assert_eq!(secret().step_of(code, at, 0), u64::try_from(seconds / 30).ok());
        }
    }

    #[test]
    fn a_code_counts_for_half_a_minute_beside_its_own_and_once() {
        let at = Timestamp::from_seconds(1_111_111_110);
        let step = 1_111_111_110 / 30;
        let code = secret().code_at(at);
        for (seconds, counts) in [(-31, false), (-30, true), (0, true), (29, true), (30, true), (59, true), (60, false)]
        {
            let now = Timestamp::from_seconds(1_111_111_110 + seconds);
            assert_eq!(secret().step_of(&code, now, 0), counts.then_some(step), "{seconds}");
        }
        assert_eq!(secret().step_of(&code, at, step), None, "it was used");
        assert_eq!(secret().step_of(&format!(" {} {} ", &code[..3], &code[3..]), at, 0), Some(step), "as apps show it");
        assert_eq!(secret().step_of("", at, 0), None);
    }

    #[test]
    fn an_app_reads_the_secret_from_an_address() {
        let email = Email::parse("ali+shop@example.com").unwrap();
        assert_eq!(
            secret().url(&email),
            "otpauth://totp/Hantar:ali%2Bshop%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Hantar"
        );
        assert_eq!(format!("{:?}", secret()), "TotpSecret(..)");
    }

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let code = recovery_code(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255, 32, 33]);
        assert_eq!(code, "abcd-efgh-ijkm-n9ab");
        for typed in ["ABCD EFGH IJKM N9AB", "abcdefghijkmn9ab", " abcd-efgh-ijkm-n9ab "] {
            assert_eq!(recovery_hash(typed), recovery_hash(&code), "{typed}");
        }
        assert_ne!(recovery_hash("abcd-efgh-ijkm-n9ac"), recovery_hash(&code));
    }
}
