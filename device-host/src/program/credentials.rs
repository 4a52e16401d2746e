//! Who asks AWS: fixed credentials, those of the process's role, or those that a container is given.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use hantar_platform::aws::{static_credentials, tokio_sleep};

/// As the environment says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// These.
    Fixed {
        /// The access key's id.
        id: String,
        /// Its secret.
        secret: String,
        /// Comes with temporary ones.
        token: Option<String>,
    },
    /// Those of the task's role, asked for at the container's own endpoint and again before they end.
    Container,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fixed { .. } => "Fixed",
            Self::Container => "Container",
        })
    }
}

impl Credentials {
    /// The provider. Nothing is asked for yet; each client keeps what it was given until shortly before it ends.
    pub(super) fn provider(&self) -> SharedCredentialsProvider {
        match self {
            Self::Fixed { id, secret, token } => static_credentials(id, secret, token.as_deref()),
            // It reads the address, and the token's file at each refresh, as the container agent sets them.
            Self::Container => {
                let config = ProviderConfig::without_region().with_sleep_impl(tokio_sleep());
                SharedCredentialsProvider::new(EcsCredentialsProvider::builder().configure(&config).build())
            }
        }
    }
}
