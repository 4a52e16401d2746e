//! What the stable codes mean, in words for people: one table for every face of the product.

/// Codes of messages and devices, and what they mean to the person who reads them.
const MEANINGS: [(&str, &str); 36] = [
    (
        "whatsapp_463",
        "WhatsApp refuses messages from this number to people who have not written to it before. Messages to people who \
         wrote first still go through; the restriction usually ends by itself after some days.",
    ),
    (
        "whatsapp_479",
        "WhatsApp refused the message as it was addressed or encrypted. Sending a new one may succeed; if it does not, link \
         the number again.",
    ),
    ("whatsapp_400", "WhatsApp refused the message as malformed. Sending it again unchanged will not help."),
    ("whatsapp_401", "WhatsApp no longer takes messages from this number. Link the number again."),
    ("whatsapp_403", "WhatsApp does not allow this number to write to this recipient."),
    ("whatsapp_404", "WhatsApp does not know the recipient."),
    ("whatsapp_405", "WhatsApp no longer accepts this version of the software. Update it."),
    ("whatsapp_429", "WhatsApp says that this number sends too much. Wait before sending more."),
    ("whatsapp_500", "WhatsApp had an error of its own. A new message may succeed."),
    ("whatsapp_503", "WhatsApp was not available. A new message may succeed."),
    ("not_on_whatsapp", "The recipient's number is not on WhatsApp."),
    ("opted_out", "The recipient asked not to be written to."),
    (
        "media_unreachable",
        "The file's address did not answer, or WhatsApp did not take the file. It is tried again for an hour; then the \
         message fails and is not charged.",
    ),
    (
        "media_refused",
        "The server at the file's address refused to give it. See that anybody can open the address without signing in.",
    ),
    ("media_address", "The file's address leads to a network that may not be called. Use an address on the Internet."),
    ("media_too_large", "The file is too large: pictures, videos and sound up to 16 MiB, documents up to 64 MiB."),
    ("media_empty", "The file is empty."),
    (
        "media_type",
        "The file is not of the type that was asked for. Look at what its address answers, or leave the type out.",
    ),
    ("media_missing", "The file was never uploaded, or is no longer kept. Upload it, and send the message again."),
    ("scheduled", "The message waits for the time it was scheduled for."),
    ("paced", "The message waits its turn, so that the number does not send too fast."),
    ("not_linked", "The device has no number linked. Link it by its QR code."),
    ("device_unlinked", "The device has no number linked. Link it by its QR code."),
    ("logged_out", "The link was ended on the phone or by WhatsApp. Link the number again by its QR code."),
    ("replaced", "The same link was opened somewhere else, and WhatsApp allows one at a time."),
    ("banned", "WhatsApp restricted this number for a time."),
    ("outdated", "WhatsApp no longer accepts this version of the software. Update it."),
    ("connection_lost", "The connection to WhatsApp was lost, and is being made again."),
    (
        "unreachable",
        "WhatsApp cannot be reached. Look at the network, the firewall and the address; it is tried again.",
    ),
    (
        "tls_refused",
        "The server at WhatsApp's address shows a certificate that is not trusted. Something stands between, or another \
         server was named without its root certificate.",
    ),
    (
        "handshake_refused",
        "The server at WhatsApp's address did not prove to be WhatsApp. Only a build for the simulated network takes \
         others.",
    ),
    ("host_stopping", "The device's host is being replaced; another one takes over in a moment."),
    (
        "whatsapp_refuses",
        "WhatsApp refused so many of the campaign's messages that its numbers are in danger. Let some hours pass, look at the \
         recipients and the text, and resume it.",
    ),
    ("list_lost", "The campaign's list of recipients could not be read. Make the campaign again."),
    ("switched_off", "The account switched this webhook off."),
    ("gone", "The subscriber answered 410: it does not want to be called any more."),
];

/// What `code` means. A code with no entry explains itself as well as it can.
pub fn explain(code: &str) -> String {
    if let Some((_, text)) = MEANINGS.iter().find(|(known, _)| *known == code) {
        return (*text).to_owned();
    }
    match code.strip_prefix("whatsapp_") {
        Some(number) => format!("WhatsApp refused the message with code {number}."),
        None => format!("The reason is: {}.", code.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_known_or_not() {
        assert!(explain("whatsapp_463").contains("have not written to it before"));
        assert_eq!(explain("whatsapp_999"), "WhatsApp refused the message with code 999.");
        assert_eq!(explain("some_reason"), "The reason is: some reason.");
    }

    #[test]
    fn no_code_stands_twice_in_the_table() {
        let mut codes = MEANINGS.map(|(code, _)| code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
