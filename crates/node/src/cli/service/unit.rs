//! The text of the unit.

use std::path::PathBuf;

/// A unit that runs a node.
pub(super) struct Unit {
    /// The program.
    pub(super) program: PathBuf,
    /// The node's directory.
    pub(super) dir: PathBuf,
    /// The arguments of `nervure join`.
    pub(super) join: Vec<String>,
    /// Whether it is a unit of the machine.
    pub(super) system: bool,
}

/// What both kinds of units forbid. A unit of a user cannot use the namespaces of the other list everywhere.
const HARDENING: &str = "\
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
";

/// What a unit of the machine forbids, too.
const SYSTEM_HARDENING: &str = "\
CapabilityBoundingSet=
AmbientCapabilities=
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
ProcSubset=pid
RemoveIPC=yes
";

impl Unit {
    /// Its text.
    ///
    /// # Errors
    /// When a path or an argument has a character that a unit cannot have.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        let dir = self.dir.to_string_lossy();
        let own = [
            self.program.to_string_lossy().into_owned(),
            "--dir".into(),
            dir.clone().into_owned(),
            "join".into(),
        ];
        let command: Vec<String> =
            own.iter().chain(&self.join).map(|part| quoted(part)).collect::<anyhow::Result<_>>()?;
        let (target, place) = match self.system {
            true => (
                "multi-user.target",
                format!(
                    "DynamicUser=yes\n{}StateDirectory=nervure\nStateDirectoryMode=0700\n",
                    writable(&dir)?
                ),
            ),
            false => ("default.target", String::new()),
        };
        let hardening =
            if self.system { [HARDENING, SYSTEM_HARDENING].concat() } else { HARDENING.to_owned() };
        let environment = quoted_path(&format!("{dir}/service.env"))?;
        Ok(format!(
            "# written by nervure service install; changes are lost when it is installed again\n\
             [Unit]\n\
             Description=Nervure node\n\
             After=network-online.target\n\
             Wants=network-online.target\n\
             StartLimitIntervalSec=300\n\
             StartLimitBurst=20\n\n\
             [Service]\n\
             ExecStart={}\n\
             EnvironmentFile=-{environment}\n\
             Environment=NERVURE_LOG_FORMAT=text\n\
             Restart=on-failure\n\
             RestartSec=5\n\
             # another protocol version: a restart does not help, an update does\n\
             RestartPreventExitStatus=10\n\
             TimeoutStopSec=60\n\
             LimitNOFILE=65536\n\
             {place}{hardening}\n\
             [Install]\n\
             WantedBy={target}\n",
            command.join(" ")
        ))
    }
}

/// The line that lets a unit of the machine write to a directory other than its own.
fn writable(dir: &str) -> anyhow::Result<String> {
    match dir {
        "/var/lib/nervure" => Ok(String::new()),
        other => Ok(format!("ReadWritePaths={}\n", quoted_path(other)?)),
    }
}

/// A path as a unit has it.
fn quoted_path(text: &str) -> anyhow::Result<String> {
    check(text)?;
    Ok(text.replace('%', "%%"))
}

/// An argument of a command as a unit has it. systemd expands `%` and `$`, and splits at spaces.
fn quoted(text: &str) -> anyhow::Result<String> {
    check(text)?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%$".contains(c);
    match !escaped.is_empty() && escaped.chars().all(is_plain) {
        true => Ok(escaped),
        false => Ok(format!("\"{escaped}\"")),
    }
}

fn check(text: &str) -> anyhow::Result<()> {
    anyhow::ensure!(!text.chars().any(char::is_control), "a unit cannot have control characters: {text:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn unit(system: bool) -> String {
        let join = [
            "/etc/nervure/my mesh.toml",
            "--role",
            "miner",
            "--expert",
            "openai:http://127.0.0.1:8000/v1,price=5%",
        ];
        Unit {
            program: "/usr/bin/true".into(),
            dir: "/var/lib/nervure".into(),
            join: join.map(str::to_owned).to_vec(),
            system,
        }
        .text()
        .unwrap()
    }

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        let text = unit(true);
        let command = text.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert_eq!(
            command,
            "ExecStart=/usr/bin/true --dir /var/lib/nervure join \"/etc/nervure/my mesh.toml\" --role miner --expert \
             openai:http://127.0.0.1:8000/v1,price=5%%"
        );
        assert_eq!(quoted("a$b\"c").unwrap(), "\"a$$b\\\"c\"");
        assert!(quoted("a\nExecStartPre=/bin/sh").is_err(), "no line of its own");
    }

    /// systemd judges the text itself, where it is there.
    fn analyze(arguments: &[&str], system: bool) -> Option<(bool, String)> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("nervure.service");
        std::fs::write(&path, unit(system)).unwrap();
        let Ok(output) = Command::new("systemd-analyze").args(arguments).arg(&path).output() else {
            println!("SKIPPED: there is no systemd-analyze");
            return None;
        };
        let text = [output.stdout, output.stderr].concat();
        Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    #[test]
    fn systemd_accepts_both_units() {
        for system in [true, false] {
            let scope = if system { "--system" } else { "--user" };
            let Some((valid, said)) = analyze(&[scope, "verify"], system) else { return };
            // A container may lack the bus; what counts is that no line of the unit is unknown or invalid.
            let complains =
                said.lines().any(|line| line.contains("nervure.service:") && !line.contains("Failed to"));
            assert!(valid || !complains, "{said}");
        }
    }

    #[test]
    fn a_unit_of_the_machine_is_hardened() {
        let Some((safe, said)) = analyze(&["security", "--offline=true", "--threshold=30"], true) else {
            return;
        };
        assert!(safe, "{said}");
        // The unit that the manual had before is not: the threshold tells them apart.
        let bare = "[Service]\nExecStart=/usr/bin/true\nDynamicUser=yes\n";
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("bare.service");
        std::fs::write(&path, bare).unwrap();
        let judged = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=30"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(!judged.status.success(), "a unit without hardening passes");
    }
}
