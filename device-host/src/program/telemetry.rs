//! Logs as JSON lines on stderr, and traces over OTLP where somebody wants them.

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, filter};

/// The WhatsApp library speaks under names of its own (targets of `log` such as `Client/Recv`); what it only informs of is
/// too much for a fleet.
const DEFAULT_FILTER: &str = "info,whatsapp_rust=warn,wacore=warn,Client=warn,Bot=warn,MessageQueue=warn";
const NAME: &str = "hantar-device-host";

/// What must be told of the end.
pub(super) struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Begins to log what `wanted` lets through, and to send spans to `otlp_url`. `log` lines of libraries come through
    /// as well.
    pub(super) fn start(wanted: Option<&str>, otlp_url: Option<&str>) -> anyhow::Result<Self> {
        let wanted = wanted.unwrap_or(DEFAULT_FILTER);
        let wanted = EnvFilter::builder().parse(wanted).context("HANTAR_LOG: expected filter directives")?;
        let provider = otlp_url.map(provider).transpose().context("HANTAR_OTLP_URL: expected an OTLP/HTTP address")?;
        // Only our own spans: those that a request of the SDK makes would be most of it.
        let ours = filter::filter_fn(|span| span.is_span() && span.target().starts_with("hantar"));
        let spans = provider
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(NAME)).with_filter(ours));
        let lines = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).with_filter(wanted);
        tracing_subscriber::registry().with(spans).with(lines).init();
        Ok(Self(provider))
    }

    /// Sends what is left.
    pub(super) fn stop(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// `url` is the collector's, such as `http://localhost:4318`; or the full address of its traces.
fn provider(url: &str) -> anyhow::Result<SdkTracerProvider> {
    let url = url.trim_end_matches('/');
    let url = if url.ends_with("/v1/traces") { url.to_owned() } else { format!("{url}/v1/traces") };
    let exporter =
        SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(url).build()?;
    let resource = Resource::builder().with_service_name(NAME).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
