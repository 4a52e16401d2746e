//! Files made of an account's records.

use hantar_domain::export::{Export, Subject};
use hantar_domain::reason::explain;
use serde::Serialize;
use utoipa::ToSchema;

use super::import::Address;
use super::message::Reason;
use super::time;

/// An export as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportBody {
    /// Its number.
    pub id: u64,
    /// `contacts` or `campaign`.
    pub subject: &'static str,
    /// The group whose contacts it holds, where it is one group's.
    pub contact_group_id: Option<u64>,
    /// The campaign whose results it holds, where it does.
    pub campaign_id: Option<u64>,
    /// `csv` or `xlsx`.
    pub format: &'static str,
    /// `running`, `completed` or `failed`.
    pub status: &'static str,
    /// Why it failed.
    pub status_reason: Option<Reason>,
    /// How many rows it has so far, without the header.
    pub rows: u64,
    /// How long the file is, in bytes, once it is there.
    pub size: Option<u64>,
    /// Where to fetch the file, while it is kept.
    pub download: Option<Address>,
    /// When it was asked for.
    pub created_at: String,
    /// When it was done or given up.
    pub finished_at: Option<String>,
    /// Until when the file is kept.
    pub kept_until: String,
}

impl ExportBody {
    /// As shown.
    pub fn new(export: &Export, download: Option<Address>) -> Self {
        let (subject, group, campaign) = match export.subject {
            Subject::Contacts => ("contacts", None, None),
            Subject::Group(group) => ("contacts", Some(group.0), None),
            Subject::Campaign(campaign) => ("campaign", None, Some(campaign.0)),
        };
        Self {
            id: export.id.0,
            subject,
            contact_group_id: group,
            campaign_id: campaign,
            format: export.format.word(),
            status: export.stage.word(),
            status_reason: export.failure.as_ref().map(|code| Reason { code: code.clone(), message: explain(code) }),
            rows: export.rows,
            size: export.size,
            download,
            created_at: time::text(export.created_at),
            finished_at: export.finished_at.map(time::text),
            kept_until: time::text(export.kept_until),
        }
    }
}
