//! When WhatsApp's refusals say that a number is in danger.

/// So many answers must have come before they are judged.
const LEAST: u64 = 20;
/// A window of so many answers without danger is closed, and the next one begun.
const WINDOW: u64 = 100;
/// One refusal in so many is too many.
const ONE_IN: u64 = 5;

/// Whether a message's failure with this code says that the number sends what WhatsApp does not want from it.
pub fn tells_danger(code: &str) -> bool {
    matches!(code, "whatsapp_463" | "whatsapp_429" | "whatsapp_403" | "whatsapp_401")
}

/// What was counted at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Messages that WhatsApp answered, one way or the other.
    pub answered: u64,
    /// Those that it refused in a way that tells danger.
    pub refused: u64,
}

/// What the counts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on, and look at the same window again.
    Calm,
    /// Go on; a new window begins here.
    Passed,
    /// Stop.
    Danger,
}

/// Judges what came since the window began.
pub const fn judge(since: Watch, now: Watch) -> Verdict {
    let answered = now.answered.saturating_sub(since.answered);
    let refused = now.refused.saturating_sub(since.refused);
    if answered >= LEAST && refused * ONE_IN >= answered {
        Verdict::Danger
    } else if answered >= WINDOW {
        Verdict::Passed
    } else {
        Verdict::Calm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_judged_by_their_share_of_a_window() {
        let since = Watch { answered: 1000, refused: 500 };
        for (answered, refused, verdict) in [
            (0, 0, Verdict::Calm),
            (19, 19, Verdict::Calm),
            (20, 3, Verdict::Calm),
            (20, 4, Verdict::Danger),
            (99, 19, Verdict::Calm),
            (99, 20, Verdict::Danger),
            (100, 19, Verdict::Passed),
            (100, 20, Verdict::Danger),
            (500, 0, Verdict::Passed),
        ] {
            let now = Watch { answered: since.answered + answered, refused: since.refused + refused };
            assert_eq!(judge(since, now), verdict, "{refused} of {answered}");
        }
    }

    #[test]
    fn a_recipient_without_whatsapp_is_no_danger() {
        for (code, danger) in
            [("whatsapp_463", true), ("whatsapp_429", true), ("whatsapp_404", false), ("not_on_whatsapp", false)]
        {
            assert_eq!(tells_danger(code), danger, "{code}");
        }
    }
}
