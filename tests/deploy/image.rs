//! The device host's image, put together by hand as `infra/docker/device-host.Dockerfile` says: the program, the C library
//! that its base has, nothing else; on a root that cannot be written, as a user who is nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hantar_local::engines::Engines;
use hantar_local::stack::Stack;
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_testkit::aws_server::AwsServer;
use hantar_testkit::process::{Process, free_port, program};
use hantar_usecases::ports::Clock;
use tempfile::TempDir;

use crate::deployment::clone;

/// What `distroless/cc` has of the C library and the compiler's.
const IN_THE_BASE: [&str; 6] =
    ["ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2", "libc.so.6", "libgcc_s.so.1", "libm.so.6", "libstdc++.so.6"];
/// The root certificates, where the base has them, too.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The user of the image.
const NOBODY: &str = "65532";
const LONG: Duration = Duration::from_mins(1);
const PULSE: Duration = Duration::from_millis(50);

#[test]
fn the_images_file_says_what_is_tested_here() {
    let text = fs::read_to_string(clone().join("infra/docker/device-host.Dockerfile")).unwrap();
    for line in [
        "ARG BASE=gcr.io/distroless/cc-debian12:nonroot",
        &format!("USER {NOBODY}:{NOBODY}"),
        "COPY --from=build /sbom.cdx.json /sbom.cdx.json",
        "HEALTHCHECK NONE",
        "ENTRYPOINT [\"/hantar-device-host\"]",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_runs_in_its_image_as_nobody_and_without_writing() {
    let folder = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let engines = Engines::open(folder.path(), &clock).unwrap();
    let aws = AwsServer::start(engines.dynamo.clone(), engines.queues.clone()).await;
    let (tables, queues) = (engines.dynamo.http_client(), engines.queues.http_client());
    let stack = Stack::on(engines, tables, queues, clock, Arc::new(SystemEntropy)).await.unwrap();

    let root = TempDir::new().unwrap();
    assemble(root.path(), &folder.path().join("master.key"));
    let mut command = in_image(root.path());
    command.env("HANTAR_AWS_ENDPOINT_URL", &aws.url).env("HANTAR_AWS_REGION", "local");
    command.env("HANTAR_AWS_ACCESS_KEY_ID", "image").env("HANTAR_AWS_SECRET_ACCESS_KEY", "secret");
    command.env("HANTAR_BUSINESS_TABLE", &stack.tables.business).env("HANTAR_ENGINE_TABLE", &stack.tables.engine);
    command.env("HANTAR_QUEUE_PREFIX", "hantar").env("HANTAR_SHARDS", stack.shards.to_string());
    command.env("HANTAR_KEY_FILE", "/master.key").env("HANTAR_LISTEN", format!("127.0.0.1:{}", free_port()));
    // No device is linked, so nobody is called.
    command.env("HANTAR_WHATSAPP_URL", "ws://127.0.0.1:9/ws/chat").env("HANTAR_WHATSAPP_VERSION", "2.3000.1");
    let mut host = Process::start(command);

    let owns_all = async {
        while stack.leases.shards().await.unwrap().iter().filter(|lease| lease.owner.is_some()).count() < 4 {
            tokio::time::sleep(PULSE).await;
        }
    };
    let owned = tokio::time::timeout(LONG, owns_all).await;
    assert!(owned.is_ok(), "it took no shards: {:#?}", host.lines());
    let held = of_process(&host, "status").lines().find_map(|line| line.strip_prefix("CapEff:")).map(str::to_owned);
    assert_eq!(held.as_deref().map(str::trim), Some("0000000000000000"), "it holds capabilities");
    let user = of_process(&host, "uid_map").split_whitespace().next().map(str::to_owned);
    assert_eq!(user.as_deref(), Some(NOBODY), "it is somebody");
    let left = host.terminate(Duration::from_secs(25)).await;
    assert!(left.success(), "it left with {left}: {:#?}", host.lines());
}

#[test]
fn the_program_needs_nothing_that_its_base_does_not_have() {
    let base: BTreeSet<&str> = IN_THE_BASE.into();
    for path in libraries() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        assert!(base.contains(name), "{} is not in the image's base", path.display());
    }
}

/// Starts the program in `root`: bound onto itself read-only, in namespaces of its own, as nobody.
fn in_image(root: &Path) -> Command {
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro,nosuid,nodev \"$1\" && \
                  exec unshare --user --map-user=\"$2\" --map-group=\"$2\" --root=\"$1\" --wd=/ /hantar-device-host";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(root).arg(NOBODY);
    command
}

/// The image's root file system: the program, the libraries and the certificates at their places, and this test's key file.
fn assemble(root: &Path, key: &Path) {
    fs::copy(program("HANTAR_DEVICE_HOST_BIN_PLAIN"), root.join("hantar-device-host")).unwrap();
    fs::copy(key, root.join("master.key")).unwrap();
    for library in libraries().into_iter().chain([PathBuf::from(CERTIFICATES)]) {
        let to = root.join(library.strip_prefix("/").unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&library, &to).unwrap();
    }
}

/// The shared libraries that the program is linked with, the loader among them.
fn libraries() -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program("HANTAR_DEVICE_HOST_BIN_PLAIN")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let found: Vec<PathBuf> = paths.map(PathBuf::from).collect();
    assert!(!found.is_empty(), "ldd names no library: {text}");
    found
}

/// What the kernel says of the process. `unshare` and the shell become the program itself.
fn of_process(process: &Process, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", process.id().unwrap())).unwrap()
}
