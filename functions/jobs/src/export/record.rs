//! The records of a subject, page by page, and their cells.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::contact::Contact;
use hantar_domain::export::{MAX_ATTRIBUTE_COLUMNS, Subject};
use hantar_domain::file;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{ContactFilter, PortError, Tenant};
use hantar_wire::v1::time;

/// The columns of contacts beside those of their attributes. An import reads them back.
const CONTACT: [&str; 9] =
    ["id", "phone", "name", "external_id", "opted_out", "opted_in_source", "opted_in_at", "created_at", "updated_at"];
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
}

impl Page {
    /// The names of its attributes, each once.
    pub(super) fn attribute_names(&self) -> BTreeSet<&String> {
        self.records.iter().flat_map(|Record::Contact(contact)| contact.attributes.keys()).collect()
    }
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
        Subject::Campaign(_) => {
            return Err(PortError::Corrupt("the results of a campaign are not exported yet".into()));
        }
    };
    let filter = ContactFilter { group, ..ContactFilter::default() };
    let page = tenant.contacts().list_contacts(&filter, after, 0, limit).await?;
    let records = page.contacts.into_iter().map(|contact| Record::Contact(Box::new(contact))).collect();
    Ok(Page { records, next: page.next })
}

/// What stands above the rows.
pub(super) fn header(subject: Subject, attributes: &[String]) -> Vec<String> {
    let own: &[&str] = match subject {
        Subject::Contacts | Subject::Group(_) => &CONTACT,
        Subject::Campaign(_) => &[],
    };
    let own = own.iter().map(|name| (*name).to_owned());
    let others = (attributes.len() >= MAX_ATTRIBUTE_COLUMNS).then(|| OTHERS.to_owned());
    own.chain(attributes.iter().map(|name| format!("{ATTRIBUTE}{name}"))).chain(others).collect()
}

/// The cells of a row.
pub(super) fn cells(record: &Record, attributes: &[String]) -> Vec<String> {
    let Record::Contact(contact) = record;
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
