//! Imports and exports whose steps may die at every call.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod fleet;
mod office;
mod tenant;
mod unasked;

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use hantar_domain::contact::Contact;
use hantar_domain::export::{Export, Subject};
use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::import::{Import, Plan, Rows};
use hantar_domain::phone::PhoneNumber;
use hantar_jobs::work::Next;
use hantar_usecases::export_records::{ExportParts, exported, start_export};
use hantar_usecases::import_contacts::{ImportParts, NewImport, create_import, rejected, start_import, uploaded};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::Work;
use hantar_usecases::upload_file::{self, NewUpload, UploadParts, announce_upload};
use pollster::block_on;

use crate::office::{ACCOUNT, Office};

const PEOPLE: &str = "Phone,Name,Plan\n012-345 6789,Ali,gold\n0123456780,,\n12,Nobody,\n,Nobody either,\n\
                      ,,\n0123456789,Ali bin Abu,\n";

/// A future that dies after so many looks at it.
struct Mortal<F> {
    future: F,
    looks: usize,
}

impl<F: Future + Unpin> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.looks == 0 {
            return Poll::Ready(None);
        }
        self.looks -= 1;
        Pin::new(&mut self.future).poll(context).map(Some)
    }
}

/// Does steps of some work until none is due; each dies after at most so many calls, or not. Answers how many died.
fn work(office: &Office, work: Work, seed: u64, most: Option<usize>) -> usize {
    let (mut dice, mut deaths) = (fastrand::Rng::with_seed(seed), 0);
    loop {
        // Whoever died had the work to itself for a minute.
        office.pass(Duration::from_secs(61));
        if !office.is_due(work) {
            return deaths;
        }
        let worker = office.worker();
        let looks = most.map_or(usize::MAX, |most| dice.usize(1..most));
        let step = pin!(worker.work(ACCOUNT, work));
        match block_on(Mortal { future: step, looks }) {
            Some(done) => drop(done.unwrap()),
            None => deaths += 1,
        }
        assert!(deaths < 10_000, "it comes to no end");
    }
}

fn plan() -> Plan {
    Plan {
        mapping: None,
        has_header: true,
        encoding: None,
        separator: None,
        dry_run: false,
        group: None,
        opt_in_source: Some("web form".into()),
    }
}

/// An import that was started.
fn started(office: &Office, filename: &str, bytes: &[u8], plan: Plan) -> Import {
    let worker = office.worker();
    let numbers = Numbers::new(worker.fleet.clone(), 10);
    let parts = ImportParts { tenant: office, blobs: office, queue: office, numbers: &numbers, clock: office };
    let format = FileFormat::of_name(filename).unwrap();
    let new = NewImport { filename: filename.into(), format, size: bytes.len() as u64, idempotency: None };
    let (import, _) = block_on(create_import(&parts, ACCOUNT, new)).unwrap();
    let key = uploaded(ACCOUNT, import.id);
    office.0.blobs.lock().unwrap().insert(key.as_str().to_owned(), bytes.to_vec());
    block_on(start_import(&parts, ACCOUNT, import.id, plan, None)).unwrap()
}

fn imported(office: &Office, filename: &str, bytes: &[u8], plan: Plan) -> Import {
    let id = started(office, filename, bytes, plan).id;
    work(office, Work::Import(id), 0, None);
    office.0.imports.lock().unwrap()[&id].clone()
}

fn contact(office: &Office, phone: &str) -> Option<Contact> {
    office.0.contacts.lock().unwrap().get(&PhoneNumber::from_e164(phone).unwrap()).cloned()
}

fn rejects(office: &Office, import: &Import) -> String {
    String::from_utf8(office.blob(&rejected(ACCOUNT, import.id)).unwrap()).unwrap()
}

#[test]
fn rows_become_contacts_or_are_rejected_with_a_reason() {
    let office = Office::new();
    let import = imported(&office, "people.csv", PEOPLE.as_bytes(), plan());
    assert_eq!(import.stage, Stage::Completed, "{import:?}");
    assert_eq!(import.rows, Rows { read: 5, created: 2, updated: 1, checked: 0, rejected: 2 });
    let ali = contact(&office, "+60123456789").unwrap();
    assert_eq!((ali.name.as_deref(), ali.attributes["Plan"].as_str()), (Some("Ali bin Abu"), "gold"));
    assert_eq!(ali.opted_in.unwrap().source, "web form");
    let expected = "rejected_row,rejected_reason,rejected_message,Phone,Name,Plan\n\
                    4,invalid_phone,not a valid phone number; write it like 0123456789 or +60123456789,12,Nobody,\n\
                    5,missing_phone,The phone is missing.,,Nobody either,\n";
    assert_eq!(rejects(&office, &import), expected);
    let left: Vec<String> = office.0.blobs.lock().unwrap().keys().cloned().collect();
    assert_eq!(left, [rejected(ACCOUNT, import.id).as_str()], "all else is deleted");
    office.pass(Duration::from_hours(73));
    work(&office, Work::Import(import.id), 0, None);
    assert!(office.0.blobs.lock().unwrap().is_empty(), "and after some days that, too");
}

#[test]
fn a_file_to_send_is_deleted_when_its_time_is_over_and_not_before() {
    let office = Office::new();
    let worker = office.worker();
    let numbers = Numbers::new(worker.fleet.clone(), 10);
    let parts = UploadParts { tenant: &office, blobs: &office, numbers: &numbers, clock: &office };
    let new = NewUpload { filename: "menu.pdf".into(), size: 4, idempotency: None };
    let (upload, _) = block_on(announce_upload(&parts, ACCOUNT, new)).unwrap();
    let key = upload_file::uploaded(ACCOUNT, upload.id);
    office.0.blobs.lock().unwrap().insert(key.as_str().to_owned(), b"%PDF".to_vec());
    office.pass(Duration::from_hours(29 * 24));
    let next = block_on(worker.take_step(ACCOUNT, Work::Upload(upload.id))).unwrap();
    assert_eq!((next, office.blob(&key).is_some()), (Next::At(upload.kept_until), true));
    office.pass(Duration::from_hours(24));
    assert!(office.is_due(Work::Upload(upload.id)));
    work(&office, Work::Upload(upload.id), 0, None);
    assert_eq!(office.blob(&key), None);
}

#[test]
fn rows_that_are_only_checked_make_no_contact() {
    let office = Office::new();
    let import = imported(&office, "people.csv", PEOPLE.as_bytes(), Plan { dry_run: true, ..plan() });
    assert_eq!(import.rows, Rows { read: 5, created: 0, updated: 0, checked: 3, rejected: 2 });
    assert!(office.0.contacts.lock().unwrap().is_empty());
    assert!(office.blob(&uploaded(ACCOUNT, import.id)).is_some(), "it may be read then");
}

#[test]
fn files_are_read_however_they_are_written() {
    let utf_16 = |text: &str, big: bool| -> Vec<u8> {
        let units = text.encode_utf16();
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let text = "phone;name\r\n0123456789;\"José; \"\"Pepe\"\"\"\r\n";
    let files: [(&str, Vec<u8>); 6] = [
        ("plain", text.into()),
        ("marked", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
        ("of the West", text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()),
        ("wide", [b"\xff\xfe".to_vec(), utf_16(text, false)].concat()),
        ("wide, big end first", [b"\xfe\xff".to_vec(), utf_16(text, true)].concat()),
        ("wide, without a mark", utf_16(text, false)),
    ];
    for (how, bytes) in files {
        let office = Office::new();
        let import = imported(&office, "people.txt", &bytes, plan());
        assert_eq!(import.stage, Stage::Completed, "{how}: {import:?}");
        let name = contact(&office, "+60123456789").expect(how).name;
        assert_eq!(name.as_deref(), Some("José; \"Pepe\""), "{how}");
    }
}

#[test]
fn a_file_that_is_of_no_use_says_why_and_where() {
    let unended = format!("phone\n0123456789\n\"0123\n{}", "x\n".repeat(40_000));
    for (name, bytes, code, row) in [
        ("a.csv", "a,b\n1,2\n", "no_phone_column", None),
        ("a.csv", "\n\n", "empty", None),
        ("a.csv", unended.as_str(), "row_too_long", Some(3)),
        ("a.xlsx", "no workbook", "no_workbook", None),
    ] {
        let office = Office::new();
        let import = imported(&office, name, bytes.as_bytes(), plan());
        let failure = import.failure.expect(code);
        assert_eq!((failure.trouble.code(), failure.row, import.stage), (code, row, Stage::Failed));
    }
}

/// So many rows, of which every tenth is wrong and every tenth says something of an earlier one.
fn crowd(rows: u64) -> String {
    let mut text = "phone,name\n".to_owned();
    for row in 0..rows {
        let line = match row % 10 {
            3 => format!("{row},wrong\n"),
            7 => format!("+6012{:07},again {row}\n", 1_000_000 + row - 1),
            _ => format!("+6012{:07},person {row}\n", 1_000_000 + row),
        };
        text.push_str(&line);
    }
    text
}

#[test]
fn an_import_that_dies_anywhere_loses_no_row_and_counts_none_twice() {
    let mut died = 0;
    for seed in 0..4 {
        println!("seed {seed}");
        let office = Office::new();
        let id = started(&office, "people.csv", crowd(12_000).as_bytes(), plan()).id;
        let deaths = work(&office, Work::Import(id), seed, Some(9_000));
        died += deaths;
        let import = office.0.imports.lock().unwrap()[&id].clone();
        let counts = Rows { read: 12_000, created: 9_600, updated: 1_200, checked: 0, rejected: 1_200 };
        assert_eq!((import.stage, import.rows), (Stage::Completed, counts), "after {deaths} deaths");
        assert_eq!(office.0.contacts.lock().unwrap().len(), 9_600);
        let rejects = rejects(&office, &import);
        let rows = rejects.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap());
        let expected: Vec<u64> = (0..12_000).filter(|row| row % 10 == 3).map(|row| row + 2).collect();
        assert_eq!(rows.collect::<Vec<u64>>(), expected);
    }
    assert!(died > 4, "it died {died} times");
}

/// An export, its file, and how many of its steps died.
fn exported_as(office: &Office, format: FileFormat, seed: u64) -> (Export, Vec<u8>, usize) {
    let worker = office.worker();
    let numbers = Numbers::new(worker.fleet.clone(), 10);
    let parts = ExportParts { tenant: office, queue: office, numbers: &numbers, clock: office };
    let id = block_on(start_export(&parts, ACCOUNT, Subject::Contacts, format, None)).unwrap().id;
    let deaths = work(office, Work::Export(id), seed, Some(40));
    let bytes = office.blob(&exported(ACCOUNT, id)).unwrap();
    (office.0.exports.lock().unwrap()[&id].clone(), bytes, deaths)
}

#[test]
fn what_is_taken_out_by_steps_that_die_can_be_put_in_elsewhere() {
    let office = Office::new();
    let mut text = "phone,name,external_id,plan,city\n".to_owned();
    for row in 0..6_000 {
        let line = format!("+6012{:07},\"'=person, {row}\",crm-{row},\"a \"\"b\"\"\n{row}\",\n", 1_000_000 + row);
        text.push_str(&line);
    }
    imported(&office, "people.csv", text.as_bytes(), plan());
    let mut died = 0;
    for (format, name) in [(FileFormat::Csv, "people.csv"), (FileFormat::Xlsx, "people.xlsx")] {
        for seed in 0..3 {
            println!("{name}, seed {seed}");
            let (export, bytes, deaths) = exported_as(&office, format, seed);
            died += deaths;
            assert_eq!((export.stage, export.rows, export.size), (Stage::Completed, 6_000, Some(bytes.len() as u64)));
            let elsewhere = Office::new();
            let import = imported(&elsewhere, name, &bytes, Plan { opt_in_source: None, ..plan() });
            let counts = Rows { read: 6_000, created: 6_000, updated: 0, checked: 0, rejected: 0 };
            assert_eq!(import.rows, counts, "{import:?}");
            let (here, there) = (office.0.contacts.lock().unwrap(), elsewhere.0.contacts.lock().unwrap());
            for (phone, ours) in here.iter() {
                let theirs = &there[phone];
                assert_eq!((&ours.name, &ours.external_id), (&theirs.name, &theirs.external_id));
                assert_eq!(ours.attributes, theirs.attributes);
            }
        }
    }
    assert!(died > 4, "it died {died} times");
}

#[test]
fn a_large_file_is_made_of_pieces_that_can_be_joined() {
    let office = Office::new();
    let mut text = "phone,note\n".to_owned();
    for row in 0..3_000 {
        let line = format!("+6012{:07},{}\n", 1_000_000 + row, "x".repeat(4_000));
        text.push_str(&line);
    }
    let import = imported(&office, "people.csv", text.as_bytes(), plan());
    assert_eq!(import.rows.created, 3_000);
    let (export, bytes, _) = exported_as(&office, FileFormat::Csv, 1);
    assert_eq!((export.rows, bytes.split(|byte| *byte == b'\n').count()), (3_000, 3_002));
    assert!(export.making.pieces.names.len() > 1, "{:?}", export.making.pieces);
}
