//! The files of a release: what is in them, what the install script does with good and bad ones, and that the container's
//! commands are ones that the program knows.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nervure");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].concat().iter().map(|byte| char::from(*byte)).collect()
}

fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

/// Whether a program is here; says that a test skips something when it is not.
fn has(program: &str, what: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: {what} ({program} is not here)");
    }
    found
}

/// Serves the files of a directory over HTTP, and returns the URL.
fn serve(dir: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = [0; 2048];
            let length = client.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let name = head.split(['/', ' ']).nth(2).unwrap_or_default().to_owned();
            let (status, body) = match fs::read(dir.join(name)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
        }
    });
    url
}

/// The install script of a user whose home is `home`.
fn install(home: &Path, url: &str) -> Output {
    let mut command = Command::new("sh");
    command.arg(root().join("deploy/install.sh")).env("HOME", home).env("NERVURE_URL", url);
    command.env_remove("NERVURE_BIN").env("no_proxy", "127.0.0.1").output().unwrap()
}

#[test]
fn a_release_installs_for_a_user_and_a_damaged_one_does_not() {
    if !(cfg!(target_os = "linux") && has("tar", "packages") && has("curl", "packages")) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let dist = home.path().join("dist");
    let script = root().join("scripts/package");
    succeeded(Command::new(script).arg(PROGRAM).arg(&dist).env("NERVURE_GZIP_LEVEL", "1"));
    let name = format!("nervure-{}-unknown-linux-gnu", std::env::consts::ARCH);
    let archive = dist.join(format!("{name}.tar.gz"));
    let listed = succeeded(Command::new("tar").arg("tzf").arg(&archive));
    for file in ["nervure", "LICENSE", "README.md", "man/nervure-ask.1", "completions/nervure.bash"] {
        assert!(listed.lines().any(|line| line == format!("{name}/{file}")), "no {file} in {listed}");
    }
    has_a_debian_package(&dist);

    let url = serve(dist);
    let user = home.path().join("user");
    fs::create_dir(&user).unwrap();
    let installed = install(&user, &url);
    assert!(installed.status.success(), "{}", text(&installed));
    assert!(text(&installed).contains("next: put "), "the directory is not in PATH: {}", text(&installed));
    let program = user.join(".local/bin/nervure");
    let version = succeeded(Command::new(&program).arg("--version"));
    assert!(version.starts_with("nervure "), "{version}");

    // Damage on the way, or a file that is not there: what is installed stays.
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let refused = install(&user, &url);
    let said = text(&refused);
    assert!(!refused.status.success() && said.contains("does not have the checksum"), "{said}");
    fs::remove_file(archive).unwrap();
    let refused = install(&user, &url);
    let said = text(&refused);
    assert!(!refused.status.success() && said.contains("cannot fetch") && said.contains("next: "), "{said}");
    assert_eq!(succeeded(Command::new(&program).arg("--version")), version);
    assert_eq!(fs::read_dir(user.join(".local/bin")).unwrap().count(), 1, "no halves are left");
}

/// The Debian package has the program, and depends on all that the program loads.
fn has_a_debian_package(dist: &Path) {
    if !(has("dpkg-deb", "the Debian package") && has("ldd", "the Debian package")) {
        return;
    }
    let files: Vec<_> = fs::read_dir(dist).unwrap().map(|file| file.unwrap().path()).collect();
    let package = files.iter().find(|file| file.extension().is_some_and(|ending| ending == "deb")).unwrap();
    let contents = succeeded(Command::new("dpkg-deb").arg("-c").arg(package));
    for file in ["./usr/bin/nervure", "./usr/share/man/man1/nervure-join.1.gz"] {
        let is_roots = |line: &str| line.ends_with(file) && line.contains(" root/root ");
        assert!(contents.lines().any(is_roots), "no {file} of root in {contents}");
    }
    let depends = succeeded(Command::new("dpkg-deb").arg("-f").arg(package).arg("Depends"));
    assert!(depends.contains("libc6 (>= 2.35)") && depends.contains("libgcc-s1"), "{depends}");
    // The same libraries are all that the container's base image has to have.
    let known = ["linux-vdso", "libgcc_s.", "libm.", "libc.", "ld-linux"];
    for library in succeeded(Command::new("ldd").arg(PROGRAM)).lines() {
        assert!(known.iter().any(|known| library.contains(known)), "who brings this? {library}");
    }
}

/// No engine is needed to see that the commands of the image and of the compose file are ones that the program takes.
#[test]
fn the_program_takes_the_containers_commands() {
    let image = fs::read_to_string(root().join("deploy/Containerfile")).unwrap();
    let list = |start: &str| {
        let line = image.lines().find_map(|line| line.trim().strip_prefix(start)).unwrap();
        serde_json::from_str::<Vec<String>>(line.trim()).unwrap()
    };
    assert_eq!(list("ENTRYPOINT"), ["nervure"]);
    let compose = fs::read_to_string(root().join("deploy/compose.yaml")).unwrap();
    let mut commands = vec![list("CMD")];
    let mut lines = compose.lines().map(str::trim);
    while lines.by_ref().any(|line| line == "command:") {
        let parts = lines.by_ref().map_while(|line| line.strip_prefix("- ").map(str::to_owned));
        commands.push(parts.collect());
    }
    assert_eq!(commands.len(), 3, "the image's, the miner's and the gateway's: {commands:?}");
    for command in commands {
        // An argument that it does not know is refused before the help is printed.
        let help = succeeded(Command::new(PROGRAM).args(&command).arg("--help"));
        assert!(help.contains("nervure join"), "{help}");
    }
    let unknown = Command::new(PROGRAM).args(["join", "--no-such-flag", "--help"]).output().unwrap();
    assert!(!unknown.status.success(), "{}", text(&unknown));
    let health = image.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let health: Vec<String> = serde_json::from_str(health.split_once("CMD").unwrap().1.trim()).unwrap();
    succeeded(Command::new(PROGRAM).args(&health[1..]).arg("--help"));
}
