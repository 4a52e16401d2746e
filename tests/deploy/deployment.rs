//! `terraform/envs/dev`, applied to an emulator of its own, and destroyed at the end, also after a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use hantar_testkit::process::program;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::emulator::Emulator;

pub(crate) const REGION: &str = "ap-southeast-1";
/// What the environment calls it.
pub(crate) const NAME: &str = "hantar-dev";
/// The folders of the clone that the modules read.
const READ: [&str; 2] = ["terraform", "infra/dashboards"];

pub(crate) struct Deployment {
    pub(crate) emulator: Emulator,
    /// A copy of the clone's folders: Terraform writes beside what it reads.
    folder: TempDir,
    outputs: Value,
    is_up: bool,
}

impl Deployment {
    /// Applies it.
    pub(crate) async fn up() -> Self {
        let emulator = Emulator::start().await;
        let folder = TempDir::new().unwrap();
        for read in READ {
            let to = folder.path().join(read);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            let from = clone().join(read);
            assert!(Command::new("cp").arg("-r").arg(&from).arg(&to).status().unwrap().success(), "{read}");
        }
        let mut deployment = Self { emulator, folder, outputs: Value::Null, is_up: false };
        deployment.write_variables();
        let mut init = deployment.terraform(&["init", "-input=false"]);
        if let Some(plugins) = std::env::var_os("HANTAR_TERRAFORM_PLUGINS") {
            init.arg(format!("-plugin-dir={}", PathBuf::from(plugins).display()));
        }
        succeeded(&mut init);
        // From here on there is something to destroy.
        deployment.is_up = true;
        let begun = Instant::now();
        succeeded(&mut deployment.terraform(&["apply", "-auto-approve", "-input=false", "-parallelism=50"]));
        println!("deploy: applied in {:.0} s", begun.elapsed().as_secs_f64());
        let outputs = succeeded(&mut deployment.terraform(&["output", "-json"]));
        deployment.outputs = serde_json::from_slice(&outputs.stdout).unwrap();
        deployment
    }

    /// What an output of the environment says.
    pub(crate) fn output(&self, name: &str) -> &Value {
        let value = &self.outputs[name]["value"];
        assert!(!value.is_null(), "there is no output `{name}`: {}", self.outputs);
        value
    }

    /// The variables that lead a process to it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let named = self.output("environment").as_object().unwrap();
        let mut variables: Vec<(String, String)> =
            named.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let ours = [
            ("HANTAR_AWS_REGION", REGION),
            ("HANTAR_AWS_ACCESS_KEY_ID", "test"),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", "test"),
        ];
        variables.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables
    }

    /// What a second run would change, as Terraform tells it; `None` when nothing.
    pub(crate) fn drift(&self) -> Option<String> {
        let plan = self.terraform(&["plan", "-detailed-exitcode", "-input=false", "-parallelism=50"]).output().unwrap();
        match plan.status.code() {
            Some(0) => None,
            Some(2) => Some(String::from_utf8_lossy(&plan.stdout).into_owned()),
            _ => panic!("terraform plan: {}", String::from_utf8_lossy(&plan.stderr)),
        }
    }

    /// All resources as they were made: their type, their address and their values.
    pub(crate) fn resources(&self) -> Vec<Value> {
        let shown = succeeded(&mut self.terraform(&["show", "-json"]));
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        let mut found = Vec::new();
        collect(&shown["values"]["root_module"], &mut found);
        found
    }

    /// Takes it down; answers whether anything is left.
    pub(crate) async fn down(mut self) {
        let begun = Instant::now();
        self.is_up = false;
        succeeded(&mut self.terraform(&["destroy", "-auto-approve", "-input=false", "-parallelism=50"]));
        println!("deploy: destroyed in {:.0} s", begun.elapsed().as_secs_f64());
        assert_eq!(self.resources(), Vec::<Value>::new(), "something is left");
        self.emulator.stop().await;
    }

    fn write_variables(&self) {
        let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "x86_64" };
        let variables = json!({
            "endpoint": self.emulator.url,
            "region": REGION,
            "name": NAME,
            "architecture": architecture,
            "lambda_zip_folder": program("HANTAR_LAMBDA_ZIPS"),
            "egress_allow": "127.0.0.0/8",
            "rate_limits": { "reads": 1_000_000, "writes": 1_000_000 },
            "traces": true,
            "worker": true,
        });
        std::fs::write(self.environment_folder().join("test.auto.tfvars.json"), variables.to_string()).unwrap();
    }

    fn environment_folder(&self) -> PathBuf {
        self.folder.path().join("terraform/envs/dev")
    }

    fn terraform(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("terraform");
        command.current_dir(self.environment_folder()).args(arguments);
        // Neither a developer's configuration nor their credentials change anything here.
        command.env("TF_CLI_CONFIG_FILE", "/dev/null").env("TF_IN_AUTOMATION", "1").env("NO_COLOR", "1");
        for name in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command
    }
}

impl Drop for Deployment {
    /// After a failure: what was made is destroyed while its emulator still runs.
    fn drop(&mut self) {
        if self.is_up {
            let destroyed = self.terraform(&["destroy", "-auto-approve", "-input=false", "-parallelism=50"]).output();
            if !destroyed.is_ok_and(|output| output.status.success()) {
                eprintln!("deploy: what was made could not be destroyed; it ends with its emulator");
            }
        }
    }
}

/// The root of the clone.
pub(crate) fn clone() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn succeeded(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn collect(module: &Value, into: &mut Vec<Value>) {
    let own = module["resources"].as_array().into_iter().flatten();
    into.extend(own.filter(|resource| resource["mode"] == "managed").cloned());
    module["child_modules"].as_array().into_iter().flatten().for_each(|child| collect(child, into));
}
