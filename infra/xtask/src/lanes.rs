//! Runs compiled test programs, two at a time: most of them wait for something most of the time, and the longest would
//! otherwise run last and alone.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, anyhow};

use crate::run;

/// How many run at a time.
const LANES: usize = 2;
/// Those that take minutes, the longest first: they begin before all others.
const LONG: [&str; 6] = ["journeys", "deploy", "acts", "hosts", "conformance", "network"];

/// A compiled test program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// What cargo calls its target.
    pub(crate) name: String,
    /// Its package, which it runs in.
    package: PathBuf,
    executable: PathBuf,
}

impl Program {
    /// Reads a line of cargo's messages in JSON; `None` for what is no test program. Cargo escapes nothing in the paths of
    /// a sane machine.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let object = |name: &str| line.split_once(&format!("\"{name}\":{{"))?.1.split_once('}').map(|(inner, _)| inner);
        if !object("profile")?.contains("\"test\":true") {
            return None;
        }
        let executable = PathBuf::from(field(line, "executable")?);
        let manifest = PathBuf::from(field(line, "manifest_path")?);
        let name = field(object("target")?, "name")?.to_owned();
        Some(Self { name, package: manifest.parent()?.to_owned(), executable })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.package).env("CARGO_MANIFEST_DIR", &self.package);
        command.stdin(std::process::Stdio::null());
        command
    }

    fn rank(&self) -> usize {
        LONG.iter().position(|name| *name == self.name).unwrap_or(LONG.len())
    }
}

/// The text of a JSON object's field.
fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let start = object.find(&format!("\"{name}\":\""))? + name.len() + 4;
    let rest = &object[start..];
    Some(&rest[..rest.find('"')?])
}

/// Runs them all, printing what each said when it ends. `prepare` adds what they need from outside; `see` gets each line.
/// Answers the names of those that failed.
pub(crate) fn run(
    programs: Vec<Program>,
    prepare: impl Fn(&mut Command) + Sync,
    see: impl FnMut(&str) + Send,
) -> anyhow::Result<Vec<String>> {
    let mut programs = programs;
    programs.sort_by_key(Program::rank);
    let waiting = Mutex::new(VecDeque::from(programs));
    let terminal = Mutex::new((see, Vec::new()));
    let lane = || -> anyhow::Result<()> {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(program) = next else { return Ok(()) };
            let mut command = program.command();
            prepare(&mut command);
            println!("     Running {}", program.executable.display());
            let begun = Instant::now();
            let (output, succeeded) =
                run::captured(&mut command).with_context(|| format!("cannot run the tests `{}`", program.name))?;
            let mut terminal = terminal.lock().unwrap_or_else(PoisonError::into_inner);
            let (see, failed) = &mut *terminal;
            println!("     Ran {} in {:.1} s\n{output}", program.executable.display(), begun.elapsed().as_secs_f64());
            output.lines().for_each(see);
            if !succeeded {
                failed.push(program.name);
            }
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().map_err(|_| anyhow!("a lane of tests panicked"))?)
    })?;
    Ok(terminal.into_inner().unwrap_or_else(PoisonError::into_inner).1)
}

#[cfg(test)]
mod cases {
    use std::path::PathBuf;

    use super::Program;

    const TEST: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///src/tests#hantar-tests@0.1.0","manifest_path":"/src/tests/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"name":"acts","src_path":"/src/tests/acts/main.rs","edition":"2024","doc":false,"doctest":false,"test":true},"profile":{"opt_level":"0","debuginfo":"line-tables-only","debug_assertions":true,"overflow_checks":true,"test":true},"features":[],"filenames":["/target/debug/deps/acts-1"],"executable":"/target/debug/deps/acts-1","fresh":true}"#;

    #[test]
    fn a_test_program_is_told_from_a_program_and_a_library() {
        let read = Program::read(TEST).unwrap();
        let expected = Program {
            name: "acts".into(),
            package: PathBuf::from("/src/tests"),
            executable: PathBuf::from("/target/debug/deps/acts-1"),
        };
        assert_eq!(read, expected);
        assert_eq!(
            Program::read(
                &TEST.replace("\"overflow_checks\":true,\"test\":true", "\"overflow_checks\":true,\"test\":false")
            ),
            None
        );
        assert_eq!(
            Program::read(&TEST.replace("\"executable\":\"/target/debug/deps/acts-1\"", "\"executable\":null")),
            None
        );
    }
}
