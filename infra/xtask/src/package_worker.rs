//! `cargo xtask package worker`: the Worker as Cloudflare takes it, and what it weighs.
//!
//! `worker-build` would fetch its helpers by itself, past every registry. It is told where they are instead: the Rust ones
//! are installed by cargo, the others by npm, all in the versions that it would have fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::workplace::Workplace;
use crate::{run, tools};

const FOLDER: &str = "functions/worker";
const PROFILE: &str = "worker";
/// What Cloudflare takes at most where it costs nothing, compressed.
const MOST: u64 = 3_000_000;
/// What is wanted.
const WANTED: u64 = 1_200_000;
/// What is deployed, beside the description of it.
const MODULES: [&str; 2] = [PROGRAM, "index.js"];
const PROGRAM: &str = "index_bg.wasm";
/// The same program with the names of its functions, for reading stack traces.
const NAMED: &str = "named.wasm";

/// Where the Worker is: its two modules, `wrangler.toml`, and beside them the program with its names.
pub(crate) fn folder(place: &Workplace) -> PathBuf {
    place.cache().join("worker")
}

/// Builds it, and fails when it is too heavy.
pub(crate) fn package(place: &Workplace) -> anyhow::Result<()> {
    let started = Instant::now();
    tools::for_worker(place)?;
    let folder = folder(place);
    let helpers = place.node().join("node_modules/.bin");
    let mut build = place.command(place.tools().join("bin/worker-build"));
    build
        .current_dir(place.root.join(FOLDER))
        .env("CARGO_TARGET_DIR", place.target())
        .env("WASM_BINDGEN_BIN", place.tools().join("bin/wasm-bindgen"))
        .env("ESBUILD_BIN", helpers.join("esbuild"))
        .env("WASM_OPT_BIN", helpers.join("wasm-opt"))
        .args(["--profile", PROFILE, "--out-dir"])
        .arg(&folder);
    if place.in_ci {
        build.env("CARGO_INCREMENTAL", "0").args(["--", "--locked"]);
    }
    run::quiet(place, "package-worker", &mut build)?;
    take_names_out(&folder)?;
    fs::copy(place.root.join(FOLDER).join("wrangler.toml"), folder.join("wrangler.toml"))
        .context("cannot copy wrangler.toml")?;
    let compressed = weigh(place, &folder)?;
    println!("{} in {:.1} s", folder.display(), started.elapsed().as_secs_f64());
    judge(compressed)
}

/// A sixth of what is uploaded would be names, which nothing but a stack trace shows, and that by numbers as well.
fn take_names_out(folder: &Path) -> anyhow::Result<()> {
    let (program, named) = (folder.join(PROGRAM), folder.join(NAMED));
    fs::rename(&program, &named).with_context(|| format!("{} is not there", program.display()))?;
    let nameless = without_section(&fs::read(&named)?, "name").context("the linker wrote no WebAssembly")?;
    fs::write(&program, nameless).with_context(|| format!("cannot write {}", program.display()))
}

/// A module without a custom section, which may always be left out (webassembly.github.io/spec, "Custom Section").
/// `None` for what is no module.
fn without_section(module: &[u8], name: &str) -> Option<Vec<u8>> {
    let (header, mut rest) = module.split_at_checked(8)?;
    let mut kept = header.strip_prefix(b"\0asm").map(|_| header.to_vec())?;
    while let Some((kind, after_kind)) = rest.split_first() {
        let (length, content) = number(after_kind)?;
        let (content, after) = content.split_at_checked(length)?;
        let called = || number(content).and_then(|(length, text)| text.get(..length));
        if *kind != 0 || called()? != name.as_bytes() {
            kept.extend_from_slice(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
    Some(kept)
}

/// A number in LEB128, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// Prints the sizes, and gives back what is uploaded.
fn weigh(place: &Workplace, folder: &Path) -> anyhow::Result<u64> {
    println!("{:<22}{:>12}{:>12}", "worker", "KB", "gzip KB");
    let mut all = 0;
    for module in MODULES {
        let path = folder.join(module);
        let raw = fs::metadata(&path).with_context(|| format!("{} is not there", path.display()))?.len();
        let compressed = gzip(place, &path)?;
        println!("{module:<22}{:>12}{:>12}", raw / 1000, compressed / 1000);
        all += compressed;
    }
    println!("{:<34}{:>12}", "uploaded", all / 1000);
    Ok(all)
}

/// How many bytes gzip makes of a file: Cloudflare's limit counts so.
fn gzip(place: &Workplace, path: &Path) -> anyhow::Result<u64> {
    let count = "import gzip, sys; print(len(gzip.compress(open(sys.argv[1], 'rb').read(), 9)))";
    let counted = run::output(place.command("python3").args(["-c", count]).arg(path))?;
    counted.trim().parse().context("Python counts in digits")
}

fn judge(compressed: u64) -> anyhow::Result<()> {
    if compressed > MOST {
        bail!("the Worker has {compressed} bytes compressed, more than the {MOST} that Cloudflare takes");
    }
    if compressed > WANTED {
        println!("warning: the Worker has {compressed} bytes compressed; no more than {WANTED} are wanted");
    }
    Ok(())
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn one_custom_section_is_left_out_and_all_else_stays_as_it_was() {
        let section = |kind: u8, content: &[u8]| [&[kind, u8::try_from(content.len()).unwrap()], content].concat();
        let (header, types, names) = (b"\0asm\x01\0\0\0", section(1, &[0]), section(0, b"\x04namewhatever"));
        let others = section(0, b"\x09producersrust");
        let module = [header.as_slice(), &types, &names, &others].concat();
        assert_eq!(without_section(&module, "name").unwrap(), [header.as_slice(), &types, &others].concat());
        assert_eq!(without_section(&module, "nothing").unwrap(), module);
        for broken in [&module[..module.len() - 1], b"\0asm", b"no module at all"] {
            assert_eq!(without_section(broken, "name"), None, "{broken:?}");
        }
    }

    #[test]
    fn numbers_are_read_seven_bits_at_a_time() {
        assert_eq!(number(&[0xe5, 0x8e, 0x26, 9]), Some((624_485, [9].as_slice())));
        assert_eq!((number(&[0x80]), number(&[0xff; 9])), (None, None));
    }

    #[test]
    fn a_worker_that_cloudflare_would_not_take_is_an_error_and_a_heavy_one_is_not() {
        assert!(judge(MOST + 1).is_err());
        assert!(judge(MOST).is_ok() && judge(WANTED + 1).is_ok() && judge(1).is_ok());
    }
}
