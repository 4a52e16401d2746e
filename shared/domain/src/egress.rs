//! Which foreign addresses may be called: public ones, and those that the operator lists.
//!
//! The list of what is not public follows the IANA special-purpose registries. Names are resolved by the caller,
//! which checks every address it got and connects to exactly those.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Networks that the operator allows although they are not public. Listed ones may also be called by plain HTTP
/// and on any port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<IpNet>);

/// A part of an allow-list is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network; write it like 10.0.0.0/8 or 127.0.0.1/32")]
pub struct NotANetwork(pub String);

impl FromStr for AllowList {
    type Err = NotANetwork;

    /// Networks in CIDR notation, separated by commas; nothing is an empty list.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().map_err(|_| NotANetwork(part.to_owned()))).collect::<Result<_, _>>().map(Self)
    }
}

impl AllowList {
    /// Whether `address` is listed.
    pub fn lists(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether `address` may be called.
    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.lists(address)
    }
}

/// Why a URL may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not parse as an absolute URL.
    #[error("must be a whole URL such as https://example.com/path")]
    NotAUrl,
    /// Not https.
    #[error("must begin with https://")]
    Scheme,
    /// Carries a user name or password.
    #[error("must not carry a user name or password")]
    Credentials,
    /// A port other than 443, 8443 or 80.
    #[error("must use port 443 or 8443")]
    Port,
    /// An address, or a name known to mean one, that is not public.
    #[error("must lead to a public address")]
    PrivateAddress,
    /// Too long.
    #[error("must not be longer than 2048 characters")]
    TooLong,
}

/// A URL whose shape is right. Its name still has to be resolved, and each address checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URL.
    pub url: Url,
}

impl Target {
    /// Checks everything about `text` that can be checked without resolving a name.
    pub fn parse(text: &str, allowed: &AllowList) -> Result<Self, Refusal> {
        if text.len() > 2048 {
            return Err(Refusal::TooLong);
        }
        let url = Url::parse(text).map_err(|_| Refusal::NotAUrl)?;
        let listed = match url.host() {
            Some(Host::Ipv4(address)) => literal(address.into(), allowed)?,
            Some(Host::Ipv6(address)) => literal(address.into(), allowed)?,
            Some(Host::Domain(name)) => name_is_listed(name, allowed)?,
            None => return Err(Refusal::NotAUrl),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        match url.scheme() {
            "https" => {}
            "http" if listed => {}
            _ => return Err(Refusal::Scheme),
        }
        if !listed && !matches!(url.port_or_known_default(), Some(443 | 8443)) {
            return Err(Refusal::Port);
        }
        Ok(Self { url })
    }
}

fn literal(address: IpAddr, allowed: &AllowList) -> Result<bool, Refusal> {
    if allowed.lists(address) {
        Ok(true)
    } else if is_public(address) {
        Ok(false)
    } else {
        Err(Refusal::PrivateAddress)
    }
}

/// Names that never mean a public host are refused unresolved. `localhost` counts as the loopback address.
fn name_is_listed(name: &str, allowed: &AllowList) -> Result<bool, Refusal> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return literal(Ipv4Addr::LOCALHOST.into(), allowed);
    }
    let inward = [".local", ".internal", ".lan", ".home.arpa", ".onion"];
    if !name.contains('.') || inward.iter().any(|end| name.ends_with(end)) {
        return Err(Refusal::PrivateAddress);
    }
    Ok(false)
}

/// IPv4 inside IPv6 (mapped, compatible, NAT64) is judged by the inner address.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let bytes = v6.octets();
    let inner = || IpAddr::from([bytes[12], bytes[13], bytes[14], bytes[15]]);
    let mapped = bytes[..10] == [0; 10] && bytes[10..12] == [0xff, 0xff];
    let compatible = bytes[..12] == [0; 12] && bytes[12..] != [0, 0, 0, 0] && bytes[12..] != [0, 0, 0, 1];
    let nat64 = bytes[..12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
    if mapped || compatible || nat64 { inner() } else { address }
}

/// Whether `address` is one that anybody on the Internet may have.
pub fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(v4) => !PRIVATE_V4.iter().any(|(base, length)| net4(*base, *length).contains(&v4)),
        IpAddr::V6(v6) => !PRIVATE_V6.iter().any(|(base, length)| net6(*base, *length).contains(&v6)),
    }
}

fn net4(base: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new(Ipv4Addr::from(base), length).unwrap_or_default()
}

fn net6(base: [u16; 3], length: u8) -> Ipv6Net {
    Ipv6Net::new(Ipv6Addr::new(base[0], base[1], base[2], 0, 0, 0, 0, 0), length).unwrap_or_default()
}

const PRIVATE_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The first three groups of each network; `::/127` stands for `::` and `::1`.
const PRIVATE_V6: [([u16; 3], u8); 12] = [
    ([0, 0, 0], 127),
    ([0xfc00, 0, 0], 7),
    ([0xfe80, 0, 0], 10),
    ([0xfec0, 0, 0], 10),
    ([0xff00, 0, 0], 8),
    ([0x2001, 0xdb8, 0], 32),
    ([0x3fff, 0, 0], 20),
    ([0x2001, 0, 0], 32),
    ([0x2002, 0, 0], 16),
    ([0x100, 0, 0], 64),
    ([0x5f00, 0, 0], 16),
    ([0x64, 0xff9b, 1], 48),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "2002:7f00:1::",
            "100::1",
            "5f00::1",
            "64:ff9b:1::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn ordinary_addresses_are_public() {
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn odd_urls_are_refused_each_for_its_reason() {
        let none = AllowList::default();
        for (text, refusal) in [
            ("nonsense", Refusal::NotAUrl),
            ("/only/a/path", Refusal::NotAUrl),
            ("http://example.com/", Refusal::Scheme),
            ("ftp://example.com/", Refusal::Scheme),
            ("https://user:pw@example.com/", Refusal::Credentials),
            ("https://example.com:22/", Refusal::Port),
            ("https://127.0.0.1/", Refusal::PrivateAddress),
            ("https://2130706433/", Refusal::PrivateAddress),
            ("https://0x7f.1/", Refusal::PrivateAddress),
            ("https://[::1]/", Refusal::PrivateAddress),
            ("https://[::ffff:169.254.169.254]/", Refusal::PrivateAddress),
            ("https://localhost/", Refusal::PrivateAddress),
            ("https://LOCALHOST./", Refusal::PrivateAddress),
            ("https://printer.local/", Refusal::PrivateAddress),
            ("https://intranet/", Refusal::PrivateAddress),
        ] {
            assert_eq!(Target::parse(text, &none).unwrap_err(), refusal, "{text}");
        }
        assert!(Target::parse("https://example.com/hook?a=b", &none).is_ok());
        assert!(Target::parse("https://example.com:8443/", &none).is_ok());
    }

    #[test]
    fn listed_networks_may_be_called_by_plain_http_on_any_port() {
        let list: AllowList = "127.0.0.0/8, ::1/128".parse().unwrap();
        for text in ["http://127.0.0.1:9999/x", "http://localhost:1/", "http://[::1]:8080/"] {
            assert!(Target::parse(text, &list).is_ok(), "{text}");
        }
        assert_eq!(Target::parse("http://10.0.0.1/", &list).unwrap_err(), Refusal::PrivateAddress);
        assert!("nonsense".parse::<AllowList>().is_err());
    }
}
