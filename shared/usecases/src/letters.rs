//! What letters say. Short, in plain words, and each tells what to do for whoever did not ask for it.

use hantar_domain::user::{Email, Role};

use crate::people::PeopleParts;
use crate::ports::{Letter, PortError};

/// What a letter's link is for, and the page that it leads to.
#[derive(Clone, Copy)]
enum Page {
    Verify,
    Reset,
    Join,
}

impl Page {
    const fn path(self) -> &'static str {
        match self {
            Self::Verify => "verify-email",
            Self::Reset => "reset-password",
            Self::Join => "accept-invitation",
        }
    }
}

impl PeopleParts<'_> {
    /// Where to go: a page, or a route of the API where there are no pages.
    fn way(&self, page: Page, secret: &str) -> String {
        let path = page.path();
        match self.pages {
            Some(pages) => format!("{}/{path}?secret={secret}", pages.trim_end_matches('/')),
            None => format!("the token {secret}\nwith POST /api/v1/auth/{path}"),
        }
    }

    async fn post(&self, to: &Email, subject: &str, text: String) -> Result<(), PortError> {
        self.mail.send(&Letter { to: to.clone(), subject: subject.to_owned(), text }).await
    }

    pub(crate) async fn letter_to_verify(&self, to: &Email, secret: &str) -> Result<(), PortError> {
        let way = self.way(Page::Verify, secret);
        let text = format!(
            "Somebody, probably you, made a Hantar account with this address. To confirm that the address is yours, use\n\n\
             {way}\n\nwithin three days, and type the password that you chose.\n\n\
             If you do not know the password, somebody else made the account: set a new password instead, and it is yours \
             alone. If you want no account, do nothing.\n"
        );
        self.post(to, "Confirm your e-mail address", text).await
    }

    pub(crate) async fn letter_of_known(&self, to: &Email) -> Result<(), PortError> {
        let text = "Somebody, probably you, tried to make a Hantar account with this address. There is one already: sign in \
                    with it, or ask for a new password if you forgot yours.\n\nIf it was not you, do nothing.\n";
        self.post(to, "You have an account already", text.to_owned()).await
    }

    pub(crate) async fn letter_to_reset(&self, to: &Email, secret: &str) -> Result<(), PortError> {
        let way = self.way(Page::Reset, secret);
        let text = format!(
            "Somebody, probably you, asked for a new password for Hantar. To choose one, use\n\n{way}\n\nwithin an hour.\n\n\
             If it was not you, do nothing: your password stays as it is.\n"
        );
        self.post(to, "Choose a new password", text).await
    }

    pub(crate) async fn letter_of_reset(&self, to: &Email) -> Result<(), PortError> {
        let text = "The password of your Hantar account was changed, and everybody who was signed in is signed out.\n\n\
                    If it was not you, ask for a new password at once, and look through the account's tokens.\n";
        self.post(to, "Your password was changed", text.to_owned()).await
    }

    pub(crate) async fn letter_to_join(
        &self,
        to: &Email,
        account: &str,
        role: Role,
        secret: &str,
    ) -> Result<(), PortError> {
        let (way, role, account) = (self.way(Page::Join, secret), role.word(), one_line(account));
        let text = format!(
            "You are invited to join “{account}” on Hantar, as {role}. To accept, use\n\n{way}\n\nwithin seven days, and choose \
             a password.\n\nIf you do not know who invites you, do nothing.\n"
        );
        self.post(to, "You are invited to Hantar", text).await
    }

    pub(crate) async fn letter_of_other_account(&self, to: &Email, account: &str) -> Result<(), PortError> {
        let account = one_line(account);
        let text = format!(
            "You are invited to join “{account}” on Hantar, but this address has an account of its own already. Ask to be \
             invited by another address, or delete that account first.\n\nIf you do not know who invites you, do nothing.\n"
        );
        self.post(to, "You are invited to Hantar", text).await
    }

    pub(crate) async fn letter_of_closing(&self, to: &Email, account: &str, days: u64) -> Result<(), PortError> {
        let account = one_line(account);
        let text = format!(
            "The account “{account}” will be deleted in {days} days with all that is in it: contacts, messages, devices, \
             credits, people. Until then everything works as before, and its owner can take the deletion back:\n\n\
             POST /api/v1/account/restore\n\nIf it was not you, do so at once, and change your password.\n"
        );
        self.post(to, "Your account will be deleted", text).await
    }
}

/// A name that somebody chose goes into a letter to somebody else: as a short name, and not as a letter of its own.
fn one_line(name: &str) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '/' | ':' | '@') { ' ' } else { c };
    let line: String = name.chars().map(plain).take(60).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_brings_neither_lines_nor_links_into_a_letter() {
        assert_eq!(one_line("Shop\n\nWin now: https://evil.example"), "Shop Win now https evil.example");
        assert_eq!(one_line(&"long ".repeat(50)).chars().count(), 59);
    }
}
