//! Phone numbers: read in any spelling, kept as E.164.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region as Country};

/// A country by its two letters, one of those that have a numbering plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region(Country);

impl Region {
    /// Malaysia: home of an account that says nothing else.
    pub const MALAYSIA: Self = Self(Country::MY);

    /// The country with these two letters.
    pub fn from_code(code: &str) -> Option<Self> {
        let country = Country::from_code(code).ok()?;
        (country != Country::World).then_some(Self(country))
    }

    /// Its two letters.
    pub fn code(self) -> String {
        self.0.as_region_str().as_str().to_owned()
    }

    /// What a number of this country is called in an error text.
    pub fn adjective(self) -> String {
        if self == Self::MALAYSIA { "Malaysian".into() } else { self.code() }
    }
}

/// A phone number in E.164: a plus sign and at most 15 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

/// Why a text is not taken as a number to send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// It is no phone number, or no such number exists.
    #[error("not a valid phone number; write it like 0123456789 or +60123456789")]
    Invalid,
    /// It is a number of a country that the account does not send to.
    #[error("a number of a country that this account does not send to")]
    OtherRegion,
}

impl PhoneNumber {
    /// Reads `text` as a number of one of `regions`, the first of which is home for national spelling.
    /// Mobile and fixed lines are taken (WhatsApp Business can use both); service numbers are not.
    pub fn parse(text: &str, regions: &[Region]) -> Result<Self, PhoneError> {
        let text = text.trim();
        if text.len() > 64 {
            return Err(PhoneError::Invalid);
        }
        let home = regions.first().copied().unwrap_or(Region::MALAYSIA);
        let number = PHONE_NUMBER_UTIL.parse(text, Some(home.0)).map_err(|_| PhoneError::Invalid)?;
        if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
            return Err(PhoneError::Invalid);
        }
        let kind = PHONE_NUMBER_UTIL.get_number_type(&number);
        if !matches!(kind, PhoneNumberType::Mobile | PhoneNumberType::FixedLine | PhoneNumberType::FixedLineOrMobile) {
            return Err(PhoneError::Invalid);
        }
        let country = PHONE_NUMBER_UTIL.get_region_for_number(&number);
        if !regions.iter().any(|region| Some(region.0) == country) {
            return Err(PhoneError::OtherRegion);
        }
        let text = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164);
        Ok(Self(text.into_owned()))
    }

    /// Takes a number that is E.164 already, as stored or as WhatsApp gives it (with or without the plus sign).
    /// Only its shape is checked.
    pub fn from_e164(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let shaped = (5..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        shaped.then(|| Self(format!("+{digits}")))
    }

    /// With the plus sign.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the plus sign: the user part of the number's WhatsApp address.
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }

    /// For logs: the country code's beginning and the last two digits.
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let (head, tail) = (&digits[..2], &digits[digits.len() - 2..]);
        format!("+{head}{}{tail}", "*".repeat(digits.len() - 4))
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, PhoneError> {
        PhoneNumber::parse(text, &[Region::MALAYSIA]).map(|number| number.0)
    }

    #[test]
    fn malaysian_numbers_are_read_in_every_spelling() {
        for text in [
            "0123456789",
            "012-345 6789",
            "(012) 3456789",
            "+60123456789",
            "60123456789",
            "+60 12-345 6789",
            "+6 012-345 6789",
            "0060123456789",
            "123456789",
            "tel:+60-12-345-6789",
            "\u{ff10}\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}\u{ff17}\u{ff18}\u{ff19}",
        ] {
            assert_eq!(parse(text), Ok("+60123456789".into()), "{text}");
        }
        for text in ["01112345678", "011-1234 5678", "60 011-1234 5678"] {
            assert_eq!(parse(text), Ok("+601112345678".into()), "{text}");
        }
        assert_eq!(parse("0198887777"), Ok("+60198887777".into()));
        assert_eq!(parse("03-2345 6789"), Ok("+60323456789".into()), "a fixed line may use WhatsApp Business");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "letters",
            "999",
            "012345678",
            "012 345 67890",
            "0112345678",
            "01012345678",
            "0151234567",
            "0101234567",
            "0141234567",
            "0312345678",
            "082123456",
            "0601112345678",
            "6281234567890",
            "1300881234",
            "1800881234",
        ] {
            assert!(parse(text).is_err(), "{text} gave {:?}", parse(text));
        }
    }

    #[test]
    fn a_foreign_number_is_taken_only_where_the_account_sends_there() {
        assert_eq!(parse("+6591234567"), Err(PhoneError::OtherRegion));
        let regions = [Region::MALAYSIA, Region::from_code("SG").unwrap()];
        assert_eq!(PhoneNumber::parse("+6591234567", &regions).unwrap().as_str(), "+6591234567");
    }

    #[test]
    fn logs_do_not_show_whole_numbers() {
        assert_eq!(PhoneNumber::from_e164("60123456789").unwrap().masked(), "+60*******89");
    }

    #[test]
    fn only_digits_make_a_stored_number() {
        for text in ["", "+", "+0123456", "12a45", "+1234567890123456"] {
            assert_eq!(PhoneNumber::from_e164(text), None, "{text}");
        }
    }
}
