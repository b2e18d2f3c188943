//! Linux namespaces, each held open by a sleeping process.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::mesh::eventually;

/// Prints why a test is skipped. Not with `eprintln`, which a passing test does not show.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The kind of a namespace.
#[derive(Clone, Copy)]
pub enum Kind {
    Network,
    Mounts,
}

impl Kind {
    /// The flag of `unshare` and `nsenter`, and the name in `/proc`.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Network => ("--net", "net"),
            Self::Mounts => ("--mount", "mnt"),
        }
    }
}

/// A namespace, which ends with everything in it when it is dropped.
pub struct Space(Child, Kind);

impl Space {
    /// None where this user or this system may not do that.
    pub fn new(kind: Kind) -> Option<Self> {
        let (flag, name) = kind.names();
        let mut sleep = Command::new("unshare");
        sleep.args([flag, "sleep", "900"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut space = Self(sleep.spawn().ok()?, kind);
        let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
        let pid = space.pid().to_string();
        eventually("a namespace", || {
            let ended = space.0.try_wait().ok()?.is_some();
            let separate = of(&pid).is_some_and(|one| Some(one) != of("self"));
            (ended || separate).then_some(!ended)
        })
        .then_some(space)
    }

    /// The process that sleeps in it.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// `program`, to be run in there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid().to_string(), self.1.names().0, program]);
        command
    }

    /// Where the processes in there see `path`, as seen from here.
    pub fn path(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid())).join(path.strip_prefix("/").unwrap())
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small tmpfs over a directory, for the processes in its namespace only.
pub struct SmallDisk(Space);

impl SmallDisk {
    /// Of this size, with the content of `dir`. None, with a message, where it cannot be mounted.
    pub fn on(dir: &Path, kibibytes: u64) -> Option<Self> {
        let disk = Self::build(dir, kibibytes);
        if disk.is_none() {
            skipped("no small disk here (it takes root, unshare, nsenter and mount)");
        }
        disk
    }

    fn build(dir: &Path, kibibytes: u64) -> Option<Self> {
        let disk = Self(Space::new(Kind::Mounts)?);
        let (place, copy) = (dir.to_str()?, dir.with_extension("copy"));
        let script = format!(
            "cp -a {place} {copy} && mount -t tmpfs -o size={kibibytes}k,mode=700 none {place} && cp -a {copy}/. {place}",
            copy = copy.to_str()?
        );
        let done = disk.0.command("sh").args(["-c", &script]).output().ok()?;
        done.status.success().then_some(disk)
    }

    /// The namespace in which it is mounted.
    pub fn space(&self) -> &Space {
        &self.0
    }

    /// Fills it up, in `dir`, to the last byte.
    pub fn fill(&self, dir: &Path) {
        let mut file = fs::File::create(self.0.path(dir).join("filler")).unwrap();
        let full = std::iter::repeat(()).find_map(|()| file.write_all(&[0; 4096]).err()).unwrap();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Makes room again.
    pub fn free(&self, dir: &Path) {
        fs::remove_file(self.0.path(dir).join("filler")).unwrap();
    }
}
