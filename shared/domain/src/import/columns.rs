//! What the columns of a file mean, and what a row says.

use std::collections::BTreeMap;

use super::{MAX_TEXT_CHARS, Plan, Trouble};
use crate::file::unguarded;
use crate::phone::{PhoneError, PhoneNumber, Region};

const MAX_ATTRIBUTES: usize = 100;
const MAX_ATTRIBUTE_NAME_CHARS: usize = 64;
const MAX_VALUE_CHARS: usize = 4096;

/// What a column is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The number that the contact is found by.
    Phone,
    /// What it is called.
    Name,
    /// The caller's own reference.
    ExternalId,
    /// Whether it asked not to be written to.
    OptedOut,
    /// A value for merge fields, under this name.
    Attribute(String),
}

/// What a row says of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub phone: PhoneNumber,
    /// What it is called.
    pub name: Option<String>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Whether it asked not to be written to.
    pub opted_out: bool,
    /// Values for merge fields.
    pub attributes: BTreeMap<String, String>,
}

/// Why a row is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// No number.
    #[error("The phone is missing.")]
    MissingPhone,
    /// It is no number, or one of a country that the account does not send to.
    #[error("{0}")]
    Phone(PhoneError),
    /// A cell is too long.
    #[error("The {field} must not be longer than {most} characters.")]
    TooLong {
        /// Of which column.
        field: String,
        /// How long it may be.
        most: usize,
    },
    /// Nobody can tell whether it may be written to.
    #[error("The opted_out must be yes or no.")]
    OptedOut,
    /// A cell holds what no text holds.
    #[error("The {0} contains a NUL character.")]
    Nul(String),
}

/// The columns of a file, as they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Option<Field>>);

impl Field {
    /// As written: `phone`, `name`, `external_id`, `attributes.plan`.
    pub fn word(&self) -> String {
        match self {
            Self::Phone => "phone".to_owned(),
            Self::Name => "name".to_owned(),
            Self::ExternalId => "external_id".to_owned(),
            Self::OptedOut => "opted_out".to_owned(),
            Self::Attribute(name) => format!("attributes.{name}"),
        }
    }

    /// Reads what [`Self::word`] writes.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim() {
            "phone" => Self::Phone,
            "name" => Self::Name,
            "external_id" => Self::ExternalId,
            "opted_out" => Self::OptedOut,
            other => Self::attribute(other.strip_prefix("attributes.")?)?,
        })
    }

    fn attribute(name: &str) -> Option<Self> {
        let name = name.trim();
        let fits = !name.is_empty() && name.chars().count() <= MAX_ATTRIBUTE_NAME_CHARS && !name.contains('\0');
        fits.then(|| Self::Attribute(name.to_owned()))
    }

    /// What a column with this header is read as where nobody says otherwise. `None`: it is passed over.
    fn of_header(header: &str) -> Option<Self> {
        match folded(header).as_str() {
            "phone" | "phone number" | "phone no" | "mobile" | "mobile number" | "mobile no" | "mobile phone"
            | "msisdn" | "number" | "tel" | "telephone" | "whatsapp" | "whatsapp number" | "telefon" | "no telefon"
            | "nombor telefon" => Some(Self::Phone),
            "name" | "full name" | "contact name" | "nama" | "nama penuh" => Some(Self::Name),
            "external id" | "reference" => Some(Self::ExternalId),
            "opted out" | "opt out" | "optout" | "unsubscribed" | "do not contact" => Some(Self::OptedOut),
            // What our own files hold beside what can be given.
            "id" | "opted in source" | "opted in at" | "created at" | "updated at" | "rejected row"
            | "rejected reason" | "rejected message" => None,
            _ => Self::from_word(header).or_else(|| Self::attribute(header)),
        }
    }
}

fn folded(header: &str) -> String {
    header
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

impl Reject {
    /// As a stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingPhone => "missing_phone",
            Self::Phone(PhoneError::Invalid) => "invalid_phone",
            Self::Phone(PhoneError::OtherRegion) => "other_region",
            Self::TooLong { .. } => "too_long",
            Self::OptedOut => "invalid_opted_out",
            Self::Nul(_) => "nul_character",
        }
    }
}

impl Columns {
    /// What the columns are read as, given the first row of the file.
    pub fn of(plan: &Plan, first: &[String]) -> Result<Self, Trouble> {
        let columns = match (&plan.mapping, plan.has_header) {
            (Some(mapping), _) => mapped(mapping, if plan.has_header { Some(first) } else { None }, first.len())?,
            (None, true) => first.iter().map(|header| Field::of_header(header)).collect(),
            (None, false) => vec![Some(Field::Phone), Some(Field::Name)],
        };
        if columns.contains(&Some(Field::Phone)) { Ok(Self(columns)) } else { Err(Trouble::NoPhoneColumn) }
    }

    /// What a row says. Of several cells of one meaning the first that is not empty counts; of those that say whether it
    /// opted out, any that says so.
    pub fn row(&self, cells: &[String], regions: &[Region]) -> Result<Row, Reject> {
        let (mut phone, mut name, mut external_id, mut attributes) = (None, None, None, BTreeMap::new());
        let mut opted_out = false;
        for (field, cell) in self.0.iter().zip(cells) {
            let (Some(field), cell) = (field, unguarded(cell.trim())) else { continue };
            if cell.is_empty() {
                continue;
            }
            let most = if matches!(field, Field::Attribute(_)) { MAX_VALUE_CHARS } else { MAX_TEXT_CHARS };
            if cell.contains('\0') {
                return Err(Reject::Nul(field.word()));
            }
            if cell.chars().count() > most {
                return Err(Reject::TooLong { field: field.word(), most });
            }
            match field {
                Field::Phone => phone = phone.or(Some(cell)),
                Field::Name => name = name.or_else(|| Some(cell.to_owned())),
                Field::ExternalId => external_id = external_id.or_else(|| Some(cell.to_owned())),
                Field::OptedOut => opted_out |= yes_or_no(cell).ok_or(Reject::OptedOut)?,
                Field::Attribute(attribute) if attributes.len() < MAX_ATTRIBUTES => {
                    attributes.entry(attribute.clone()).or_insert_with(|| cell.to_owned());
                }
                Field::Attribute(_) => {}
            }
        }
        let phone = PhoneNumber::parse(phone.ok_or(Reject::MissingPhone)?, regions).map_err(Reject::Phone)?;
        Ok(Row { phone, name, external_id, opted_out, attributes })
    }
}

fn mapped(
    mapping: &BTreeMap<String, Field>,
    headers: Option<&[String]>,
    count: usize,
) -> Result<Vec<Option<Field>>, Trouble> {
    let mut columns = vec![None; count];
    for (column, field) in mapping {
        let named = headers.and_then(|headers| headers.iter().position(|header| same(header, column)));
        let numbered = || column.trim().parse().ok().and_then(|number: usize| number.checked_sub(1));
        let index = named.or_else(numbered).filter(|index| *index < count).ok_or(Trouble::UnknownColumn)?;
        columns[index] = Some(field.clone());
    }
    Ok(columns)
}

fn yes_or_no(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "yes" | "y" | "true" | "1" | "x" | "ya" => Some(true),
        "no" | "n" | "false" | "0" | "tidak" => Some(false),
        _ => None,
    }
}

fn same(header: &str, column: &str) -> bool {
    header.trim().to_lowercase() == column.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(mapping: Option<&[(&str, &str)]>, has_header: bool) -> Plan {
        let mapping = mapping.map(|pairs| {
            pairs.iter().map(|(column, field)| ((*column).to_owned(), Field::from_word(field).unwrap())).collect()
        });
        Plan { mapping, has_header, encoding: None, separator: None, dry_run: false, group: None, opt_in_source: None }
    }

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    fn row(columns: &Columns, cells: &[&str]) -> Result<Row, Reject> {
        columns.row(&texts(cells), &[Region::MALAYSIA])
    }

    #[test]
    fn without_a_mapping_headers_say_what_columns_are_and_others_are_attributes() {
        let header = texts(&["Mobile No.", "Nama", "Plan", "attributes.city", "id", ""]);
        let columns = Columns::of(&plan(None, true), &header).unwrap();
        let row = row(&columns, &["012-3456789", " Ali ", "'=gold", "KL", "7", "x"]).unwrap();
        assert_eq!((row.phone.as_str(), row.name.as_deref()), ("+60123456789", Some("Ali")));
        let attributes = [("Plan", "=gold"), ("city", "KL")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(row.attributes, BTreeMap::from(attributes));
    }

    #[test]
    fn a_column_may_say_who_opted_out() {
        let columns = Columns::of(&plan(None, true), &texts(&["phone", "opted_out", "Unsubscribed"])).unwrap();
        for (cells, out) in [
            (&["true", ""][..], Ok(true)),
            (&["No", "X"], Ok(true)),
            (&["", ""], Ok(false)),
            (&["FALSE", "0"], Ok(false)),
            (&["maybe", ""], Err("invalid_opted_out")),
        ] {
            let cells = [&["0123456789"], cells].concat();
            let read = row(&columns, &cells);
            assert_eq!(read.map(|row| row.opted_out).map_err(|reject| reject.code()), out, "{cells:?}");
        }
    }

    #[test]
    fn a_mapping_goes_by_headers_or_by_numbers_and_passes_over_the_rest() {
        let header = texts(&["A", "B", "C"]);
        let by_header = plan(Some(&[("b", "phone"), ("3", "attributes.plan")]), true);
        let read = row(&Columns::of(&by_header, &header).unwrap(), &["x", "0123456789", "gold"]).unwrap();
        assert_eq!((read.name, read.attributes.len()), (None, 1));
        let by_number = plan(Some(&[("2", "phone"), ("1", "name")]), false);
        let read = row(&Columns::of(&by_number, &header).unwrap(), &["Ali", "0123456789"]).unwrap();
        assert_eq!(read.name.as_deref(), Some("Ali"));
    }

    #[test]
    fn a_mapping_that_does_not_fit_the_file_is_trouble() {
        let header = texts(&["A", "B"]);
        for (mapping, trouble) in [
            (&[("C", "phone")][..], Trouble::UnknownColumn),
            (&[("3", "phone")], Trouble::UnknownColumn),
            (&[("0", "phone")], Trouble::UnknownColumn),
            (&[("A", "name")], Trouble::NoPhoneColumn),
        ] {
            assert_eq!(Columns::of(&plan(Some(mapping), true), &header), Err(trouble), "{mapping:?}");
        }
        assert_eq!(Columns::of(&plan(None, true), &header), Err(Trouble::NoPhoneColumn));
    }

    #[test]
    fn a_row_that_is_not_taken_says_why() {
        let columns = Columns::of(&plan(None, true), &texts(&["phone", "name"])).unwrap();
        let long = "x".repeat(MAX_TEXT_CHARS + 1);
        for (cells, code) in [
            (&["", "Ali"][..], "missing_phone"),
            (&["12", "Ali"], "invalid_phone"),
            (&["+6591234567", "Ali"], "other_region"),
            (&["0123456789", &long], "too_long"),
            (&["0123456789", "A\0"], "nul_character"),
            (&[], "missing_phone"),
        ] {
            let reject = row(&columns, cells).unwrap_err();
            assert_eq!(reject.code(), code);
            assert!(!reject.to_string().is_empty());
        }
    }

    #[test]
    fn a_field_is_read_back_from_its_word() {
        for word in ["phone", "name", "external_id", "attributes.plan"] {
            assert_eq!(Field::from_word(word).unwrap().word(), word);
        }
        for word in ["", "attributes.", "plan"] {
            assert_eq!(Field::from_word(word), None, "{word}");
        }
    }
}
