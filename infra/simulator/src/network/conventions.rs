//! Names that ask for an account of a kind: `restricted:<name>` for one that hears from strangers only with a token,
//! `scenario:<flag>,<flag>:<name>` for the finer choice that test suites make.

use crate::entropy::key_rng;
use crate::network::profile::Profile;

/// Experiment flags about tokens, by the word in a scenario.
const FLAGS: [(&str, u32); 3] = [("nct_send_ab", 24_941), ("nct_history_ab", 25_189), ("nct_syncd_ab", 25_253)];
/// Messages to one person carry a token.
const TOKENS_FLAG: u32 = 10_518;

impl Profile {
    /// The profile of a new account with this name.
    pub(crate) fn named(name: &str) -> Self {
        let mut profile = Self::default();
        profile.flags.insert(TOKENS_FLAG, "1".to_owned());
        if name.starts_with("restricted:") {
            profile.restricted = true;
        }
        let scenario = name.strip_prefix("scenario:").and_then(|rest| rest.split_once(':'));
        for flag in scenario.into_iter().flat_map(|(flags, _)| flags.split(',')) {
            let (flag, on) = flag.split_once('=').map_or((flag, true), |(flag, value)| (flag, value == "1"));
            profile.choose(flag, on);
        }
        profile
    }

    fn choose(&mut self, flag: &str, on: bool) {
        match flag {
            "restricted" => self.restricted = on,
            "tc_enabled" => self.takes_tokens.0 = on,
            "cs_enabled" => self.takes_tokens.1 = on,
            "nct_history_delivery" | "nct_syncd_delivery" => {
                if self.salt.is_empty() {
                    self.salt = rand::RngExt::random::<[u8; 32]>(&mut key_rng()).to_vec();
                }
                if flag == "nct_history_delivery" { self.salt_by.0 = on } else { self.salt_by.1 = on }
            }
            flag => {
                if let Some((_, code)) = FLAGS.iter().find(|(known, _)| *known == flag) {
                    self.flags.insert(*code, u8::from(on).to_string());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_asks_for_an_account_of_a_kind() {
        let table = [
            ("Ann", (false, (true, true), (false, false))),
            ("restricted:a_1", (true, (true, true), (false, false))),
            ("scenario:restricted,cs_enabled=0:a_1", (true, (true, false), (false, false))),
            ("scenario:tc_enabled=0,nct_syncd_delivery=1:a_1", (false, (false, true), (false, true))),
            ("scenario:nct_history_delivery=1:a_1", (false, (true, true), (true, false))),
        ];
        for (name, expected) in table {
            let profile = Profile::named(name);
            assert_eq!((profile.restricted, profile.takes_tokens, profile.salt_by), expected, "{name}");
        }
        assert_eq!(Profile::named("scenario:nct_send_ab=1:a").flags.get(&24_941).map(String::as_str), Some("1"));
    }
}
