//! What can be said on the command line. Everything is parsed before anything is opened.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hantar_domain::billing::Billing;
use hantar_domain::egress::AllowList;
use hantar_domain::pacing::Pacing;
use hantar_domain::price::PriceList;
use hantar_domain::user::Email;
use hantar_platform::cloud::Variables;
use url::Url;

/// A value of the configuration is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {expected}")]
pub struct ConfigError {
    /// The option or variable.
    pub name: &'static str,
    /// What was expected.
    pub expected: String,
}

/// WhatsApp numbers as an API.
#[derive(Debug, Parser)]
#[command(name = "hantar", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; `up` when absent.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `up`, also without a command.
    #[command(flatten)]
    pub up: UpArgs,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve everything in one process (also without a command).
    Up(Box<UpArgs>),
    /// What the administrator does.
    #[command(flatten)]
    Admin(AdminCommand),
    /// The administrator's commands on the tables of the cloud that the environment names (`hantar --aws user create …`).
    #[command(subcommand, long_flag = "aws")]
    Aws(AdminCommand),
    /// The simulated WhatsApp network alone.
    #[cfg(feature = "simulator")]
    Simulator(SimulatorArgs),
}

/// What the administrator does: in a data folder, also while the server runs, or in the cloud.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// API tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// People.
    #[command(subcommand)]
    User(UserCommand),
    /// Devices: one for each WhatsApp number.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Credits.
    #[command(subcommand)]
    Credits(CreditsCommand),
    /// Secrets of the configuration.
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Print a new link that signs a browser in.
    SignIn(SignInArgs),
}

impl AdminCommand {
    /// Where the data is, unless it is in the cloud.
    pub fn data(&self) -> &DataArgs {
        match self {
            Self::Token(TokenCommand::Create { data, .. })
            | Self::User(UserCommand::Create { data, .. })
            | Self::Device(DeviceCommand::Create { data, .. })
            | Self::Credits(CreditsCommand::Grant { data, .. } | CreditsCommand::Price { data, .. })
            | Self::Secret(SecretCommand::Seal { data, .. }) => data,
            Self::SignIn(args) => &args.data,
        }
    }
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// The folder of databases and keys.
    #[arg(long, default_value = "./hantar-data", env = "HANTAR_DATA_DIR")]
    pub data_dir: PathBuf,
}

/// `hantar up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where the API and the pages are served.
    #[arg(long, default_value = "127.0.0.1:8080", env = "HANTAR_LISTEN")]
    pub listen: SocketAddr,
    /// Further host names under which the pages are reached, separated by commas.
    #[arg(long, value_delimiter = ',', env = "HANTAR_HOSTS")]
    pub hosts: Vec<String>,
    /// The address of the pages that letters link to; where they are served when absent.
    #[arg(long, env = "HANTAR_PUBLIC_URL", value_parser = web_address)]
    pub public_url: Option<Url>,
    /// How letters are sent: log, or the URL of an SMTP server (smtp://user:password@host:587, smtps://…).
    #[arg(long, default_value = "log", env = "HANTAR_MAIL", hide_env_values = true)]
    pub mail: String,
    /// Whom letters come from, as "Hantar <hantar@example.com>".
    #[arg(long, env = "HANTAR_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// Networks (CIDR) that webhooks may call although they are not public, separated by commas.
    #[arg(long, default_value = "", env = "HANTAR_EGRESS_ALLOW")]
    pub egress_allow: AllowList,
    /// Reads per minute that a token may make.
    #[arg(long, default_value_t = 600, env = "HANTAR_READS_PER_MINUTE")]
    pub reads_per_minute: u32,
    /// Writes per minute that a token may make.
    #[arg(long, default_value_t = 300, env = "HANTAR_WRITES_PER_MINUTE")]
    pub writes_per_minute: u32,
    /// Seconds between two rows of campaigns on one device.
    #[arg(long, default_value = "3", env = "HANTAR_CAMPAIGN_GAP")]
    pub campaign_gap: Pacing,
    /// How messages are charged for.
    #[command(flatten)]
    pub billing: BillingArgs,
    /// Another server than WhatsApp's own.
    #[cfg(feature = "simulator")]
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How messages are charged for. The secrets are best given by the environment: others see a command line.
#[derive(Debug, Clone, Args)]
pub struct BillingArgs {
    /// `off`: messages cost nothing; `credits`: you put credits in; `stripe`: they are also bought.
    #[arg(long, default_value = "credits", env = "HANTAR_BILLING")]
    pub billing: String,
    /// What credits cost, as `MYR 1:10, 1000:8.5`: each in the currency's minor unit, by how many are bought.
    #[arg(long, env = "HANTAR_PRICES")]
    pub prices: Option<String>,
    /// A secret or restricted key of Stripe's API.
    #[arg(long, env = "HANTAR_STRIPE_KEY", hide_env_values = true)]
    pub stripe_key: Option<String>,
    /// What Stripe signs its calls to `/api/v1/billing/stripe` with.
    #[arg(long, env = "HANTAR_STRIPE_SIGNING_SECRET", hide_env_values = true)]
    pub stripe_signing_secret: Option<String>,
    /// An address that stands in for Stripe.
    #[arg(long, env = "HANTAR_STRIPE_URL")]
    pub stripe_url: Option<String>,
}

impl BillingArgs {
    /// Reads them, with `allowed` networks that may be called although they are not public.
    pub fn read(&self, allowed: &AllowList) -> Result<Billing, hantar_platform::cloud::ConfigError> {
        let said = Variables(|name| match name {
            "HANTAR_BILLING" => Some(self.billing.clone()),
            "HANTAR_PRICES" => self.prices.clone(),
            "HANTAR_STRIPE_KEY" => self.stripe_key.clone(),
            "HANTAR_STRIPE_SIGNING_SECRET" => self.stripe_signing_secret.clone(),
            "HANTAR_STRIPE_URL" => self.stripe_url.clone(),
            _ => None,
        });
        said.billing(allowed)
    }
}

/// Another server than WhatsApp's own.
#[cfg(feature = "simulator")]
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Start the simulated WhatsApp network too, and connect to it.
    #[arg(long, conflicts_with = "whatsapp_url")]
    pub simulate: bool,
    /// Where the simulated network listens.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub simulator_listen: SocketAddr,
    /// What the simulated network is known by.
    #[command(flatten)]
    pub simulator_keys: SimulatorKeyArgs,
    /// A server that speaks WhatsApp's protocol (ws:// or wss://).
    #[arg(long, value_parser = websocket_url)]
    pub whatsapp_url: Option<String>,
    /// The client version told to it, such as 2.3000.1042742319.
    #[arg(long, value_parser = client_version)]
    pub whatsapp_version: Option<(u32, u32, u32)>,
    /// A PEM file with a further root certificate, for the socket and for media.
    #[arg(long)]
    pub whatsapp_ca: Option<PathBuf>,
}

/// What the simulated network is known by; made at start when absent.
#[cfg(feature = "simulator")]
#[derive(Debug, Clone, Args)]
pub struct SimulatorKeyArgs {
    /// A PEM file with the certificate that it shows to clients that speak TLS.
    #[arg(long, requires = "simulator_tls_key")]
    pub simulator_tls_certificate: Option<PathBuf>,
    /// A PEM file with that certificate's private key.
    #[arg(long, requires = "simulator_tls_certificate")]
    pub simulator_tls_key: Option<PathBuf>,
    /// A file with the private key (64 hexadecimal digits) of the root that clients check in WhatsApp's own handshake.
    #[arg(long)]
    pub simulator_root_key: Option<PathBuf>,
}

/// `hantar simulator`.
#[cfg(feature = "simulator")]
#[derive(Debug, Clone, Args)]
pub struct SimulatorArgs {
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where the simulated network listens.
    #[arg(long, visible_alias = "simulator-listen", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// What it is known by.
    #[command(flatten)]
    pub keys: SimulatorKeyArgs,
}

/// `hantar token …`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it once.
    Create {
        /// Where the data is.
        #[command(flatten)]
        data: DataArgs,
        /// What you call it.
        #[arg(long)]
        name: String,
        /// What it may do, separated by commas; everything when absent.
        #[arg(long, value_delimiter = ',')]
        abilities: Vec<String>,
        /// The person it acts for; the first account's owner when absent.
        #[arg(long, value_parser = email)]
        email: Option<Email>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `hantar user …`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make a person with an account of their own, and a token, which is printed once.
    Create {
        /// Where the data is.
        #[command(flatten)]
        data: DataArgs,
        /// Their address.
        #[arg(long, value_parser = email)]
        email: Email,
        /// The new account's name; the address when absent.
        #[arg(long)]
        account: Option<String>,
        /// Take the address as verified.
        #[arg(long)]
        verified: bool,
        /// Credits for the new account.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        credits: i64,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `hantar device …`.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Add a device to an account.
    Create {
        /// Where the data is.
        #[command(flatten)]
        data: DataArgs,
        /// What you call it.
        #[arg(long, default_value = "WhatsApp")]
        name: String,
        /// The account's number; the first one when absent.
        #[arg(long)]
        account: Option<u64>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `hantar credits …`.
#[derive(Debug, Subcommand)]
pub enum CreditsCommand {
    /// Put credits into an account.
    Grant {
        /// Where the data is.
        #[command(flatten)]
        data: DataArgs,
        /// How many.
        #[arg(value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
        credits: i64,
        /// The account's number; the first one when absent.
        #[arg(long)]
        account: Option<u64>,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give an account prices of its own, or take them away.
    Price {
        /// Where the data is.
        #[command(flatten)]
        data: DataArgs,
        /// What credits cost it, as `MYR 1:10, 1000:8.5`; as everybody when absent.
        prices: Option<PriceList>,
        /// The account's number; the first one when absent.
        #[arg(long)]
        account: Option<u64>,
    },
}

/// `hantar secret …`.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Seal a secret, read from standard input, for a variable of the configuration: what is printed opens nowhere else.
    Seal {
        /// Where the data is.
        #[command(flatten)]
        data: DataArgs,
        /// The variable's name, such as HANTAR_STRIPE_KEY.
        name: String,
    },
}

/// `hantar sign-in`.
#[derive(Debug, Args)]
pub struct SignInArgs {
    /// Where the data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where the pages are served.
    #[arg(long, default_value = "127.0.0.1:8080", env = "HANTAR_LISTEN")]
    pub listen: SocketAddr,
    /// Who signs in; the first account's owner when absent.
    #[arg(long, value_parser = email)]
    pub email: Option<Email>,
}

fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none());
    url.ok_or_else(|| "expected a URL that begins with http:// or https:// and has no query".into())
}

fn email(text: &str) -> Result<Email, String> {
    Email::parse(text).map_err(|error| error.to_string())
}

#[cfg(feature = "simulator")]
fn websocket_url(text: &str) -> Result<String, String> {
    let shaped = text.starts_with("ws://") || text.starts_with("wss://");
    if shaped { Ok(text.to_owned()) } else { Err("expected a URL that begins with ws:// or wss://".into()) }
}

#[cfg(feature = "simulator")]
fn client_version(text: &str) -> Result<(u32, u32, u32), String> {
    let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([a, b, c]) => Ok((*a, *b, *c)),
        _ => Err("expected three numbers such as 2.3000.1042742319".into()),
    }
}
