//! Imports, exports and uploads: made once, started once, and recorded by one step at a time.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::export::{Export, Making, Subject};
use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::ids::{ExportId, ImportId, UploadId};
use hantar_domain::import::{Import, Reading, Rows};
use hantar_domain::media::Upload;
use hantar_usecases::idempotency::idempotency;
use hantar_usecases::ports::{Created, ImportStart, Work};

use super::{Home, World};

fn import(home: &Home, id: u64) -> Import {
    Import {
        account: home.account,
        id: ImportId(id),
        filename: "people.csv".into(),
        format: FileFormat::Csv,
        size: 5,
        stage: Stage::Waiting,
        failure: None,
        plan: None,
        reading: Reading::default(),
        rows: Rows::default(),
        created_at: home.now(),
        started_at: None,
        finished_at: None,
        kept_until: home.now() + Duration::from_hours(72),
        version: 0,
    }
}

fn export(home: &Home, id: u64) -> Export {
    Export {
        account: home.account,
        id: ExportId(id),
        subject: Subject::Contacts,
        format: FileFormat::Csv,
        stage: Stage::Running,
        failure: None,
        making: Making::default(),
        rows: 0,
        size: None,
        created_at: home.now(),
        finished_at: None,
        kept_until: home.now() + Duration::from_hours(72),
        version: 0,
    }
}

/// And the work that deletes it is due when it is kept no longer; another account does not find it.
pub async fn an_upload_is_announced_once_under_its_key_with_its_work(world: World) {
    let home = world.home(0).await;
    let files = home.tenant.files();
    let key = idempotency("upload", "a", b"request", home.now());
    let upload = |id| Upload {
        account: home.account,
        id: UploadId(id),
        filename: "menu.pdf".into(),
        size: 5,
        created_at: home.now(),
        kept_until: home.now() + Duration::from_hours(720),
    };
    let first = upload(1);
    assert_eq!(files.add_upload(&first, Some(&key)).await.unwrap(), Created::New);
    let again = files.add_upload(&Upload { created_at: home.now(), ..upload(2) }, Some(&key)).await.unwrap();
    assert_eq!(again, Created::Replayed(Box::new(first.clone())));
    let other = idempotency("upload", "a", b"another", home.now());
    assert_eq!(files.add_upload(&upload(3), Some(&other)).await.unwrap(), Created::KeyReused);
    assert_eq!(files.add_upload(&upload(4), None).await.unwrap(), Created::New);
    let mut found = files.uploads(&[UploadId(4), UploadId(1), UploadId(2), UploadId(1)]).await.unwrap();
    found.sort_by_key(|upload| upload.id);
    assert_eq!(found.iter().map(|upload| upload.id.0).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(found[0], first);
    let due = world.fleet.due_work(first.kept_until, 100).await.unwrap();
    assert!(due.iter().any(|one| one.account == home.account && one.work == Work::Upload(first.id)));
    let elsewhere = world.home(0).await;
    assert_eq!(elsewhere.tenant.files().uploads(&[UploadId(1)]).await.unwrap(), []);
}

/// And the work that deletes its file is due when it is kept no longer.
pub async fn an_import_is_made_once_under_its_key_with_its_work(world: World) {
    let home = world.home(0).await;
    let files = home.tenant.files();
    let key = idempotency("import", "a", b"request", home.now());
    let first = import(&home, 1);
    assert_eq!(files.add_import(&first, Some(&key)).await.unwrap(), Created::New);
    let stored = files.import(first.id).await.unwrap().unwrap();
    assert_eq!(stored, Import { version: stored.version, ..first.clone() });
    let replayed = files.add_import(&import(&home, 2), Some(&key)).await.unwrap();
    assert_eq!(replayed, Created::Replayed(Box::new(stored)));
    let other = idempotency("import", "a", b"another", home.now());
    assert_eq!(files.add_import(&import(&home, 3), Some(&other)).await.unwrap(), Created::KeyReused);
    let fleet = &world.fleet;
    let due = fleet.due_work(first.kept_until, 100).await.unwrap();
    let works: Vec<_> = due.iter().filter(|one| one.account == home.account).map(|one| one.work).collect();
    assert_eq!(works, [Work::Import(first.id)]);
    assert!(fleet.due_work(home.now(), 100).await.unwrap().iter().all(|one| one.account != home.account));
}

/// However many start it at a time, and again under its key.
pub async fn an_import_is_started_once(world: World) {
    let home = world.home(0).await;
    let files = home.tenant.files();
    files.add_import(&import(&home, 1), None).await.unwrap();
    let known = files.import(ImportId(1)).await.unwrap().unwrap();
    let started = Import { stage: Stage::Running, started_at: Some(home.now()), ..known };
    let keys: Vec<_> = (0..4).map(|n| idempotency("start", &format!("key {n}"), b"request", home.now())).collect();
    let starts = keys.iter().map(|key| files.start_import(&started, home.now(), Some(key)));
    let answers: Vec<_> = join_all(starts).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = answers.iter().enumerate().filter(|(_, answer)| **answer == ImportStart::Now).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    let winner = &keys[winners[0].0];
    let now = files.import(ImportId(1)).await.unwrap().unwrap();
    assert_eq!(files.earlier_start(winner, home.now()).await.unwrap(), Some(ImportStart::Replayed(Box::new(now))));
    let due = world.fleet.due_work(home.now(), 100).await.unwrap();
    assert!(due.iter().any(|one| one.account == home.account && one.work == Work::Import(ImportId(1))));
}

/// Whoever has not seen the last record.
pub async fn of_two_who_record_a_step_one_is_refused(world: World) {
    let home = world.home(0).await;
    let files = home.tenant.files();
    files.add_import(&import(&home, 1), None).await.unwrap();
    files.add_export(&export(&home, 1), None).await.unwrap();
    let mut known = files.import(ImportId(1)).await.unwrap().unwrap();
    known.rows.read = 7;
    assert!(files.change_import(&known).await.unwrap());
    known.rows.read = 9;
    assert!(!files.change_import(&known).await.unwrap());
    assert_eq!(files.import(ImportId(1)).await.unwrap().unwrap().rows.read, 7);
    let mut known = files.export(ExportId(1)).await.unwrap().unwrap();
    known.rows = 7;
    assert!(files.change_export(&known).await.unwrap());
    assert!(!files.change_export(&known).await.unwrap());
    assert_eq!(files.export(ExportId(1)).await.unwrap().unwrap().rows, 7);
}

/// Its work is due at once.
pub async fn an_export_is_made_once_under_its_key_with_its_work(world: World) {
    let home = world.home(0).await;
    let files = home.tenant.files();
    let key = idempotency("export", "a", b"request", home.now());
    assert_eq!(files.add_export(&export(&home, 1), Some(&key)).await.unwrap(), Created::New);
    let stored = files.export(ExportId(1)).await.unwrap().unwrap();
    let replayed = files.add_export(&export(&home, 2), Some(&key)).await.unwrap();
    assert_eq!(replayed, Created::Replayed(Box::new(stored)));
    let due = world.fleet.due_work(home.now(), 100).await.unwrap();
    let works: Vec<_> = due.iter().filter(|one| one.account == home.account).map(|one| one.work).collect();
    assert_eq!(works, [Work::Export(ExportId(1))]);
}

/// The same numbers on the other side are other files.
pub async fn files_are_found_by_their_own_account_alone(world: World) {
    let (one, two) = (world.home(0).await, world.home(0).await);
    one.tenant.files().add_import(&import(&one, 1), None).await.unwrap();
    one.tenant.files().add_export(&export(&one, 1), None).await.unwrap();
    assert_eq!(two.tenant.files().import(ImportId(1)).await.unwrap(), None);
    assert_eq!(two.tenant.files().export(ExportId(1)).await.unwrap(), None);
    assert_eq!(two.tenant.files().add_import(&import(&two, 1), None).await.unwrap(), Created::New);
}
