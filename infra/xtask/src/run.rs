//! Running commands so that a green run is short to read and a red one says everything.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::workplace::Workplace;

/// How many of the last lines of a failed command are shown; the rest is in its log.
const SHOWN_LINES: usize = 400;

/// Runs a command whose output matters only when it fails: it goes to a log, whose end is shown then.
pub(crate) fn quiet(place: &Workplace, name: &str, command: &mut Command) -> anyhow::Result<()> {
    let path = place.log(name);
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    command.stdout(log.try_clone()?).stderr(log);
    let status = command.status().with_context(|| format!("cannot start `{}`", text_of(command)))?;
    if status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    let lines: Vec<&str> = output.lines().filter(|line| !is_progress(line)).collect();
    let hidden = lines.len().saturating_sub(SHOWN_LINES);
    if hidden > 0 {
        println!("… {hidden} lines before these are in {}", path.display());
    }
    for line in &lines[hidden..] {
        println!("{line}");
    }
    bail!("`{}` failed: {status}", text_of(command));
}

/// Cargo's account of what went well.
fn is_progress(line: &str) -> bool {
    ["Compiling ", "Checking ", "Downloading ", "Downloaded ", "Blocking "]
        .iter()
        .any(|verb| line.trim_start().starts_with(verb))
}

/// Runs a command and gives back what it printed on its standard output; what it said when it failed is in the error.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", text_of(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("`{}` failed: {}\n{said}", text_of(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", text_of(command)))
}

/// Runs a command, passing on each line of its output as it comes, and showing it to `see` too. True if it succeeded.
pub(crate) fn streamed(command: &mut Command, mut see: impl FnMut(&str)) -> anyhow::Result<bool> {
    // One pipe for both, so that the lines keep their order.
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", text_of(command)))?;
    // The command holds the ends to write to; the pipe closes only without them.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());

    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    let mut terminal = io::stdout().lock();
    while reader.read_until(b'\n', &mut line)? > 0 {
        terminal.write_all(&line)?;
        terminal.flush()?;
        see(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Runs a command and gives back all that it printed, in its order, and whether it succeeded.
pub(crate) fn captured(command: &mut Command) -> anyhow::Result<(String, bool)> {
    let (mut reader, writer) = io::pipe().context("cannot make a pipe")?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", text_of(command)))?;
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed)?;
    Ok((String::from_utf8_lossy(&printed).into_owned(), child.wait()?.success()))
}

/// The command as a developer would type it, without its environment.
fn text_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
