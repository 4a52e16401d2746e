//! Where random numbers come from. Names, numbers and ids come from one seeded generator, so that a run can be
//! told from its seed; keys never do, because a repeatable private key is a bad habit even in a simulator.

use rand::distr::Distribution as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The seeded generator behind ids, phone numbers and LIDs.
pub(crate) struct Ids(StdRng);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A stanza id as a phone makes it: `3A` and 18 upper-case hexadecimal digits.
    pub(crate) fn stanza_id(&mut self) -> String {
        let bytes: [u8; 9] = self.0.random();
        format!("3A{}", hex::encode_upper(bytes))
    }

    /// The reference inside a QR code.
    pub(crate) fn pairing_reference(&mut self) -> String {
        let bytes: [u8; 16] = self.0.random();
        format!("2@{}", hex::encode(bytes))
    }

    /// A Malaysian mobile number in the range the simulator keeps for accounts it makes up itself.
    pub(crate) fn phone(&mut self) -> String {
        format!("6011{:08}", self.0.random_range(0..100_000_000_u32))
    }

    /// The user part of a LID: fifteen digits.
    pub(crate) fn lid(&mut self) -> String {
        format!("{}", self.0.random_range(100_000_000_000_000..1_000_000_000_000_000_u64))
    }

    /// True with this probability, which is from 0 to 1.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability.clamp(0.0, 1.0))
    }

    /// The user part of a group's JID.
    pub(crate) fn group(&mut self) -> String {
        format!("120363{:012}", self.0.random_range(0..1_000_000_000_000_u64))
    }

    /// The user part of a newsletter's JID.
    pub(crate) fn newsletter(&mut self) -> String {
        format!("120363{:012}", self.0.random_range(0..1_000_000_000_000_u64))
    }

    /// The code of a group's link: 22 letters and digits.
    pub(crate) fn invite_code(&mut self) -> String {
        (0..22).map(|_| char::from(rand::distr::Alphanumeric.sample(&mut self.0))).collect()
    }

    /// A picture's id.
    pub(crate) fn picture(&mut self) -> u64 {
        self.0.random_range(1_000_000_000..9_999_999_999)
    }

    /// A registration id of a Signal endpoint (14 bits, never zero).
    pub(crate) fn registration(&mut self) -> u32 {
        self.0.random_range(1..16_380)
    }
}

/// The dice of one fault rule: the same seed throws the same.
pub(crate) struct Dice(StdRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// True with this probability, which is from 0 to 1.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability.clamp(0.0, 1.0))
    }

    /// A number from 0 to `most`.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        self.0.random_range(0..=most)
    }
}

/// The generator for key material, seeded by the operating system.
pub(crate) fn key_rng() -> StdRng {
    rand::make_rng()
}
