//! The compiler and anvil, installed once for all tests.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

/// A folder with `node_modules` in it; `None`, with a message, where it cannot be installed.
fn installed() -> Option<PathBuf> {
    if contracts().join("node_modules/solc").is_dir() {
        return Some(contracts());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contracts");
    fs::create_dir_all(&folder).unwrap();
    // Each test is a process: one installs, the others wait.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if folder.join("done").exists() {
        return Some(folder);
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(contracts().join(file), folder.join(file)).unwrap();
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .status();
    if !npm.is_ok_and(|status| status.success()) {
        return None;
    }
    File::create(folder.join("done")).unwrap();
    Some(folder)
}

fn skip<T>(what: &str) -> Option<T> {
    eprintln!("SKIPPED: {what} is not here and npm cannot install it (npm ci in contracts/)");
    None
}

/// The binary of anvil.
pub(crate) fn anvil() -> Option<PathBuf> {
    let modules = installed().unwrap_or_default().join("node_modules");
    nervure_anchor_evm::anvil::find(&modules).ok().or_else(|| skip("anvil"))
}

/// Runs `contracts/compile.mjs`.
fn compile(argument: &str, input: &str) -> Option<(bool, String)> {
    let Some(modules) = installed() else { return skip("the compiler solc") };
    let mut child = Command::new("node")
        .arg(contracts().join("compile.mjs"))
        .arg(argument)
        .env("CONTRACTS_MODULES", modules.join("package.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

/// The source of the contract.
pub(crate) fn source() -> String {
    fs::read_to_string(contracts().join("CheckpointAnchor.sol")).unwrap()
}

/// The bytecode of a variant of the contract.
pub(crate) fn bytecode(source: &str) -> Option<Vec<u8>> {
    let (done, code) = compile("--bytecode", source)?;
    assert!(done, "the variant does not compile");
    let digits = code.trim().trim_start_matches("0x").as_bytes().chunks(2);
    Some(digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect())
}

#[test]
fn the_compiled_contract_matches_the_source() {
    let Some((same, said)) = compile("--check", "") else { return };
    assert!(same, "{said}");
}

#[test]
fn a_changed_source_compiles_to_something_else() {
    let Some(same) = bytecode(&source()) else { return };
    let other = bytecode(&source().replace("signed * 3 <= total * 2", "signed * 3 < total * 2")).unwrap();
    assert_ne!(same, other);
}
