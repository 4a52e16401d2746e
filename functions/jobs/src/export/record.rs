//! The records of a subject, page by page, and their cells.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::contact::Contact;
use hantar_domain::export::{MAX_ATTRIBUTE_COLUMNS, Subject};
use hantar_domain::file;
use hantar_domain::ids::CampaignId;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{ContactFilter, PortError, Tenant};
use hantar_wire::v1::campaign::ResultBody;
use hantar_wire::v1::time;

/// The columns of contacts beside those of their attributes. An import reads them back.
const CONTACT: [&str; 9] =
    ["id", "phone", "name", "external_id", "opted_out", "opted_in_source", "opted_in_at", "created_at", "updated_at"];
/// The columns of a campaign's results: as in their JSON.
const RESULT: [&str; 8] = ["phone", "name", "status", "reason", "field", "message_id", "device", "updated_at"];
/// What attributes' columns begin with.
const ATTRIBUTE: &str = "attributes.";
/// The column of what has no column of its own.
const OTHERS: &str = "other_attributes";

/// A part of the records.
pub(super) struct Page {
    pub(super) records: Vec<Record>,
    /// After which record to go on; `None` at the end.
    pub(super) next: Option<String>,
}

/// One row of the file.
pub(super) enum Record {
    Contact(Box<Contact>),
    Result(Box<ResultBody>),
}

impl Page {
    /// The names of its attributes, each once.
    pub(super) fn attribute_names(&self) -> BTreeSet<&String> {
        let mut names = BTreeSet::new();
        for record in &self.records {
            if let Record::Contact(contact) = record {
                names.extend(contact.attributes.keys());
            }
        }
        names
    }
}

/// Whether records of a subject have attributes, which become columns.
pub(super) const fn has_attributes(subject: Subject) -> bool {
    matches!(subject, Subject::Contacts | Subject::Group(_))
}

/// At most `limit` records of a subject.
pub(super) async fn page(
    tenant: &dyn Tenant,
    subject: Subject,
    after: Option<&str>,
    limit: usize,
) -> Result<Page, PortError> {
    let group = match subject {
        Subject::Contacts => None,
        Subject::Group(group) => Some(group),
        Subject::Campaign(id) => return results(tenant, id, after, limit).await,
    };
    let filter = ContactFilter { group, ..ContactFilter::default() };
    let page = tenant.contacts().list_contacts(&filter, after, 0, limit).await?;
    let records = page.contacts.into_iter().map(|contact| Record::Contact(Box::new(contact))).collect();
    Ok(Page { records, next: page.next })
}

async fn results(tenant: &dyn Tenant, id: CampaignId, after: Option<&str>, limit: usize) -> Result<Page, PortError> {
    let campaigns = tenant.campaigns();
    let after =
        after.map(str::parse).transpose().map_err(|_| PortError::Corrupt(format!("a place in campaign {id}")))?;
    let campaign = campaigns.campaign(id).await?;
    let campaign = campaign.ok_or_else(|| PortError::Corrupt(format!("campaign {id} is missing")))?;
    let found = campaigns.results(&campaign, after, limit).await?;
    let records = found.rows.into_iter().map(|row| Record::Result(Box::new(ResultBody::new(row)))).collect();
    Ok(Page { records, next: found.next.map(|next| next.to_string()) })
}

/// What stands above the rows.
pub(super) fn header(subject: Subject, attributes: &[String]) -> Vec<String> {
    let own: &[&str] = match subject {
        Subject::Contacts | Subject::Group(_) => &CONTACT,
        Subject::Campaign(_) => &RESULT,
    };
    let own = own.iter().map(|name| (*name).to_owned());
    let others = (attributes.len() >= MAX_ATTRIBUTE_COLUMNS).then(|| OTHERS.to_owned());
    own.chain(attributes.iter().map(|name| format!("{ATTRIBUTE}{name}"))).chain(others).collect()
}

/// The cells of a row.
pub(super) fn cells(record: &Record, attributes: &[String]) -> Vec<String> {
    match record {
        Record::Contact(contact) => contact_cells(contact, attributes),
        Record::Result(result) => result_cells(result),
    }
}

fn result_cells(result: &ResultBody) -> Vec<String> {
    let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    vec![
        result.phone.clone(),
        maybe(&result.name),
        result.status.to_owned(),
        maybe(&result.reason),
        maybe(&result.field),
        number(result.message_id),
        number(result.device),
        maybe(&result.updated_at),
    ]
}

fn contact_cells(contact: &Contact, attributes: &[String]) -> Vec<String> {
    let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
    let moment = |at: Timestamp| time::text(at);
    let opted_in = contact.opted_in.as_ref();
    let mut cells = vec![
        contact.id.to_string(),
        contact.phone.to_string(),
        maybe(&contact.name),
        maybe(&contact.external_id),
        contact.opted_out.to_string(),
        opted_in.map(|said| said.source.clone()).unwrap_or_default(),
        opted_in.map(|said| moment(said.at)).unwrap_or_default(),
        moment(contact.created_at),
        moment(contact.updated_at),
    ];
    cells.extend(attributes.iter().map(|name| contact.attributes.get(name).cloned().unwrap_or_default()));
    if attributes.len() >= MAX_ATTRIBUTE_COLUMNS {
        cells.push(others(&contact.attributes, attributes));
    }
    cells
}

/// Attributes without a column, as `name=value` lines.
fn others(all: &BTreeMap<String, String>, attributes: &[String]) -> String {
    let rest = all.iter().filter(|(name, _)| attributes.binary_search(name).is_err());
    rest.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
}

/// The cells as they stand in a text file that a spreadsheet program opens.
pub(super) fn guarded(cells: &[String]) -> Vec<String> {
    cells.iter().map(|cell| file::guarded(cell)).collect()
}
