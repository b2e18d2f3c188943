//! The owner key is on another machine than the node, each under its own passphrase, and comes back from 24 words.

use std::{io::Write, path::Path, process::Stdio};

use crate::mesh::{CommandOutput, Mesh, nervure};

/// One machine: a directory and the passphrases that are typed there.
struct Machine<'a> {
    dir: &'a Path,
    passphrases: &'a [(&'a str, &'a str)],
}

impl Machine<'_> {
    fn run(&self, args: &[&str]) -> CommandOutput {
        self.run_with(args, "")
    }

    fn run_with(&self, args: &[&str], input: &str) -> CommandOutput {
        let mut command = nervure();
        command.arg("--dir").arg(self.dir).args(args).envs(self.passphrases.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing has closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        CommandOutput::of(child.wait_with_output().unwrap())
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
}

fn failed(output: &CommandOutput, why: &str) {
    assert!(output.code != 0 && output.err.contains(why), "{why}: {output:?}");
}

#[test]
fn an_owner_registers_a_node_from_another_machine_and_restores_the_key_from_words() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "0"]);
    let spec = mesh.mesh_file().display().to_string();
    let (node_home, owner_home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = Machine { dir: node_home.path(), passphrases: &[("NERVURE_KEY_PASSPHRASE", "node words")] };
    let owner =
        Machine { dir: owner_home.path(), passphrases: &[("NERVURE_OWNER_PASSPHRASE", "owner words")] };

    let node_id = node.run(&["key", "new"]).succeeded().out.trim().to_owned();
    let pem = owner.file("owner.pem");
    let owner_id = owner.run(&["key", "new", "--owner", "--out", &pem]).succeeded().out.trim().to_owned();
    // The passphrase of the one does not open the other.
    failed(&node.run(&["key", "show", &pem]), "does not open");
    mesh.run(&["wallet", "send", &owner_id, "100"]).succeeded();

    let consent = node.file("consent.json");
    let made = node.run(&["key", "consent", "--owner", &owner_id, "--mesh", &spec, "--out", &consent]);
    assert!(made.succeeded().err.contains("key register --consent"));
    // Only the named owner can use it.
    let stranger = owner.file("stranger.pem");
    owner.run(&["key", "new", "--owner", "--out", &stranger]).succeeded();
    let register = ["key", "register", "--consent", &consent, "--mesh", &spec, "--key"];
    failed(&owner.run(&[&register[..], &[&stranger]].concat()), "is for the owner");
    // The owner's machine signs; the node's machine submits what it got.
    let signed = owner.file("register.json");
    let sign = owner.run(&[&register[..], &[&pem, "--sign-to", &signed]].concat()).succeeded();
    assert!(sign.err.contains("signed, and not submitted"), "{sign:?}");
    let owner_of = || mesh.run(&["wallet", "show", &owner_id, "--json"]).succeeded().json()["nodes"].clone();
    assert_eq!(owner_of(), serde_json::json!([]));
    let submit = node.run(&["wallet", "submit", &signed, "--mesh", &spec]).succeeded();
    assert!(submit.err.contains(&format!("signed by {owner_id}")), "{submit:?}");
    assert_eq!(owner_of(), serde_json::json!([node_id]));
    // A file that was changed on its way is refused before it is sent.
    let text = std::fs::read_to_string(&signed).unwrap();
    let changed = node.file("changed.json");
    std::fs::write(&changed, text.replacen(&owner_id, &node_id, 1)).unwrap();
    failed(&node.run(&["wallet", "submit", &changed, "--mesh", &spec]), "was changed");

    let words = owner.run(&["key", "mnemonic", &pem]).succeeded().out;
    let again = owner.file("again.pem");
    let restore = ["key", "restore", "--owner", "--out", &again];
    let restored = owner.run_with(&restore, &words).succeeded();
    assert_eq!(restored.out.trim(), owner_id);
    failed(&owner.run_with(&restore, &words), "already exists");
    let json = owner.run(&["key", "mnemonic", &again, "--json"]).succeeded().json();
    assert_eq!(
        (json["node"].as_str(), json["words"].as_array().map(Vec::len)),
        (Some(owner_id.as_str()), Some(24))
    );
    let wrong = owner.file("wrong.pem");
    failed(&owner.run_with(&["key", "restore", "--out", &wrong], "abandon art"), "2 words");
    owner.run(&["wallet", "send", &node_id, "1", "--mesh", &spec, "--key", &again]).succeeded();
}

/// A rotation is two transactions: what the key holds, and the balance.
#[test]
fn a_rotation_is_signed_to_files_and_submitted_in_their_order() {
    let mesh = Mesh::up(&["--validators", "1", "--miners", "0"]);
    let spec = mesh.mesh_file().display().to_string();
    let home = tempfile::tempdir().unwrap();
    let owner = Machine { dir: home.path(), passphrases: &[] };
    let [old, new] = ["old.pem", "new.pem"].map(|name| owner.file(name));
    let [old_id, new_id] = [&old, &new]
        .map(|file| owner.run(&["key", "new", "--owner", "--out", file]).succeeded().out.trim().to_owned());
    mesh.run(&["wallet", "send", &old_id, "100"]).succeeded();
    let node = owner.run(&["key", "new"]).succeeded().out.trim().to_owned();
    owner.run(&["key", "register", &owner.file("key.pem"), "--key", &old, "--mesh", &spec]).succeeded();
    let [first, second] = ["rotate.json", "rotate-2.json"].map(|name| owner.file(name));
    let rotate = ["wallet", "rotate", &new, "--key", &old, "--mesh", &spec, "--sign-to", &first];
    let signed = owner.run(&rotate).succeeded();
    assert!(signed.err.contains(&format!("wallet submit {second}")), "{signed:?}");
    for file in [&first, &second] {
        owner.run(&["wallet", "submit", file, "--mesh", &spec]).succeeded();
    }
    let shown = mesh.run(&["wallet", "show", &new_id, "--json"]).succeeded().json();
    assert_eq!(shown["nodes"], serde_json::json!([node]));
    assert!(shown["balance"].as_u64() > Some(90_000_000_000), "{shown}");
}
