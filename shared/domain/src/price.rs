//! What credits cost: an amount of money in the minor unit of a currency (sen, cents), by how many are bought.

use std::fmt;
use std::str::FromStr;

/// A currency, by its three letters (ISO 4217).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads three letters, in whatever case.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// Money: whole minor units of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Amount {
    /// How many minor units.
    pub minor: i64,
    /// Of what.
    pub currency: Currency,
}

/// The price of one credit: hundredths of a minor unit, because a credit may cost less than a sen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitPrice(i64);

impl UnitPrice {
    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 9 || part.len() > 2 {
            return None;
        }
        let tenfold = if part.len() == 1 { 10 } else { 1 };
        let hundredths = whole.parse::<i64>().ok()? * 100 + part.parse::<i64>().ok()? * tenfold;
        (hundredths > 0).then_some(Self(hundredths))
    }
}

impl fmt::Display for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{}", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02}"),
        }
    }
}

/// From so many credits on, each one costs this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// How many must be bought at least.
    pub from: i64,
    /// What each of all that are bought costs then.
    pub unit: UnitPrice,
}

/// The most credits that are bought at a time.
pub const MAX_PURCHASE: i64 = 10_000_000;
/// How many tiers a list may have.
const MAX_TIERS: usize = 20;

/// What credits cost in one currency, the more are bought the less. Written `MYR 1:10, 1000:8.5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList {
    currency: Currency,
    tiers: Vec<Tier>,
}

/// The text is no price list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no price list; write it like `MYR 1:10, 1000:8.5`: from 1 credit on 10 sen each, from 1000 on 8.5 sen each")]
pub struct NotAPriceList;

impl FromStr for PriceList {
    type Err = NotAPriceList;

    fn from_str(text: &str) -> Result<Self, NotAPriceList> {
        let (currency, tiers) = text.trim().split_once(' ').ok_or(NotAPriceList)?;
        let currency = Currency::parse(currency).ok_or(NotAPriceList)?;
        let tier = |text: &str| {
            let (from, unit) = text.trim().split_once(':')?;
            let from = from.parse().ok().filter(|from| (1..=MAX_PURCHASE).contains(from))?;
            Some(Tier { from, unit: UnitPrice::parse(unit)? })
        };
        let tiers: Vec<_> = tiers.split(',').map(tier).collect::<Option<_>>().ok_or(NotAPriceList)?;
        let rising = tiers.windows(2).all(|pair| pair[0].from < pair[1].from);
        if rising && tiers.len() <= MAX_TIERS { Ok(Self { currency, tiers }) } else { Err(NotAPriceList) }
    }
}

impl fmt::Display for PriceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.currency)?;
        for (index, tier) in self.tiers.iter().enumerate() {
            let before = if index == 0 { " " } else { ", " };
            write!(f, "{before}{}:{}", tier.from, tier.unit)?;
        }
        Ok(())
    }
}

impl PriceList {
    /// In what is paid.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The tiers, rising.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// The fewest credits that are sold at a time.
    pub fn least(&self) -> i64 {
        self.tiers.first().map_or(1, |tier| tier.from)
    }

    /// What so many credits cost, all at the price of the tier that they reach; half a minor unit is rounded up. `None` for
    /// fewer or more than are sold.
    pub fn amount(&self, credits: i64) -> Option<Amount> {
        if credits > MAX_PURCHASE {
            return None;
        }
        let tier = self.tiers.iter().rev().find(|tier| tier.from <= credits)?;
        let minor = (credits.checked_mul(tier.unit.0)?.checked_add(50)? / 100).max(1);
        Some(Amount { minor, currency: self.currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> PriceList {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_is_written_as_it_is_read() {
        for text in ["MYR 1:10", "MYR 1:10, 1000:8.5, 100000:0.05", "JPY 100:2"] {
            assert_eq!(list(text).to_string(), text);
        }
        assert_eq!(list(" myr 1:10.50,2:3.00 ").to_string(), "MYR 1:10.5, 2:3");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "",
            "MYR",
            "MYR ",
            "RM 1:10",
            "MYR 1",
            "MYR 0:10",
            "MYR 1:0",
            "MYR 1:-1",
            "MYR 1:1.234",
            "MYR 1:.5",
            "MYR 5:1, 5:2",
            "MYR 5:1, 1:2",
            "MYR 1:9999999999",
            "MYR 10000001:1",
            "MYR 1:10,",
        ] {
            assert_eq!(text.parse::<PriceList>(), Err(NotAPriceList), "{text}");
        }
    }

    #[test]
    fn all_that_are_bought_cost_what_the_tier_that_they_reach_says() {
        let list = list("MYR 10:10, 1000:8.5, 100000:0.05");
        for (credits, minor) in [
            (9, None),
            (10, Some(100)),
            (999, Some(9990)),
            (1000, Some(8500)),
            (1001, Some(8509)),
            (100_000, Some(5000)),
            (MAX_PURCHASE, Some(500_000)),
            (MAX_PURCHASE + 1, None),
            (0, None),
            (-5, None),
        ] {
            assert_eq!(list.amount(credits).map(|amount| amount.minor), minor, "{credits}");
        }
        assert_eq!("USD 1:0.01".parse::<PriceList>().unwrap().amount(1).unwrap().minor, 1, "never for nothing");
    }
}
