//! Creating a subnet, setting its hyperparameters, registering neurons: each command prints its cost and its outcome.

use crate::mesh::{CommandOutput, Mesh, eventually};

/// A new key for a node, beside the testnet's.
fn new_key(mesh: &Mesh, name: &str) -> (String, String) {
    let path = mesh.dir().join(name).display().to_string();
    let id = mesh.run(&["key", "new", "--out", &path]).succeeded().out.trim().to_owned();
    (path, id)
}

fn refused(output: &CommandOutput, why: &str, next: &str) {
    assert!(output.code == 2 && output.err.contains(why) && output.err.contains(next), "{output:?}");
}

/// The node takes a slot in subnet 1, and its owner makes the mistakes that people make with slots and weights.
fn takes_a_slot_of_another_subnet(mesh: &Mesh, node: &str, file: &str) {
    let key = mesh.dir().join("nodes/miner-1/key.pem").display().to_string();
    refused(
        &mesh.run(&["neuron", "register", "--netuid", "1", "--node", node, "--max-price", "0.0001"]),
        "a slot costs",
        "raise --max-price",
    );
    let slot = mesh.run(&["neuron", "register", "--netuid", "1", "--node", node]).succeeded();
    assert!(
        slot.err.contains("burns 0.0005 tokens") && slot.err.contains("slot 3 of subnet 1 is taken"),
        "{slot:?}"
    );
    refused(
        &mesh.run(&["neuron", "register", "--netuid", "1", "--node", node]),
        "already",
        "nervure subnet show",
    );
    refused(
        &mesh.run(&["weights", "set", "22", "0=1", "--key", &key]),
        "is not registered in subnet 22",
        "nervure neuron register",
    );
    refused(
        &mesh.run(&["weights", "set", "1", "0=1", "--key", file]),
        "requires commit and reveal",
        "nervure weights commit",
    );
}

/// What the owner deposited for its node `used` is listed; a node that nothing depends on gives its deposit back.
fn deposits_are_listed_and_come_back(mesh: &Mesh, used: &str) {
    let shown = mesh.run(&["wallet", "show", "--json"]).succeeded().json();
    let deposits = shown["deposits"].as_array().unwrap();
    let sum: u64 = deposits.iter().map(|one| one["amount"].as_u64().unwrap()).sum();
    assert_eq!(shown["deposited"].as_u64(), Some(sum));
    // The node, its slot, its vote, and the key that it had.
    assert!(deposits.len() == 4 && deposits[0]["for"] == "node" && deposits[0]["node"] == used, "{shown}");
    let text = mesh.run(&["wallet", "show"]).succeeded();
    assert!(text.out.contains(&format!("deposit  0.00016 tokens for node {used}")), "{text:?}");
    refused(&mesh.run(&["key", "deregister", used]), "there is stake on it", "nervure stake remove");
    let (file, spare) = new_key(mesh, "spare.pem");
    refused(
        &mesh.run(&["wallet", "send", &spare, "0.00000001"]),
        "an account holds at least 0.00005 tokens",
        "send at least that much",
    );
    let tried = mesh.run(&["key", "register", &file, "--dry-run"]).succeeded();
    assert!(tried.err.contains("0.00016 tokens are deposited and come back"), "{tried:?}");
    mesh.run(&["key", "register", &file]).succeeded();
    let gone = mesh.run(&["key", "deregister", &spare]).succeeded();
    assert!(gone.err.contains("0.00016 tokens of deposits are given back"), "{gone:?}");
}

#[test]
fn an_owner_founds_a_subnet_rules_it_and_earns_from_it() {
    let mesh = Mesh::up(&["--validators", "2", "--miners", "1"]);
    let (file, node) = new_key(&mesh, "own.pem");
    let early = mesh.run(&["subnet", "create", "mine", "--node", &node]);
    refused(&early, "is not a registered node", "nervure key register");

    let registered = mesh.run(&["key", "register", &file]).succeeded();
    assert!(
        registered.err.contains("it costs 0.0000") && registered.err.contains("final in block"),
        "{registered:?}"
    );
    let cheap = mesh.run(&["subnet", "create", "mine", "--node", &node, "--fee", "0.000000001"]);
    refused(&cheap, "its weight costs 0.0000", "raise --fee");
    let topics = || mesh.run(&["status", "--json"]).succeeded().json()["network"]["topics"].as_u64().unwrap();
    let before = topics();
    let dry = mesh.run(&["subnet", "create", "mine", "--node", &node, "--dry-run"]).succeeded();
    assert!(dry.err.contains("this creates subnet 22 and locks 100 tokens"), "{dry:?}");
    let founded =
        mesh.run(&["subnet", "create", "mine", "--node", &node, "--set", "tempo=6", "--set", "kappa=40000"]);
    assert!(founded.succeeded().err.contains("kappa = 40000 in subnet 22"));
    eventually("the gateway follows the new subnet's topic", || (topics() == before + 1).then_some(()));
    let shown = mesh.run(&["subnet", "show", "22", "--json"]).succeeded().json();
    let rules = &shown["subnet"]["hyperparameters"];
    assert_eq!((rules["tempo"].as_u64(), rules["kappa"].as_u64()), (Some(6), Some(40_000)));
    assert_eq!(shown["neurons"][0]["node"], node.as_str());
    let soon = mesh.run(&["subnet", "set", "22", "tempo=8"]);
    refused(&soon, "can be changed again at block", "wait for that block");
    let far = mesh.run(&["subnet", "set", "22", "immunity=99999"]);
    refused(&far, "immunity = 99999", "docs/ledger.md");
    let no_rule = mesh.run(&["subnet", "set", "22", "speed=1"]);
    assert!(no_rule.code == 2 && no_rule.err.contains("unknown variant"), "{no_rule:?}");
    takes_a_slot_of_another_subnet(&mesh, &node, &file);

    mesh.run(&["stake", "add", &node, "50"]).succeeded();
    mesh.run(&["stake", "take", &node, "7.5"]).succeeded();
    mesh.run(&["vote", "1=1", "22=3", "--key", &file]).succeeded();
    let (new_file, new_node) = new_key(&mesh, "next.pem");
    let swapped = mesh.run(&["key", "swap", &node, &new_file]).succeeded();
    assert!(swapped.err.contains(&format!("node {node} has the key {new_node}")), "{swapped:?}");
    deposits_are_listed_and_come_back(&mesh, &new_node);
    eventually("the owner earns from the subnet", || {
        let shown = mesh.run(&["subnet", "show", "22", "--json"]).succeeded().json();
        (shown["subnet"]["earned"].as_u64()? > 0)
            .then(|| assert_eq!(shown["neurons"][0]["node"], new_node.as_str()))
    });
    let table = mesh.run(&["subnet", "list"]).succeeded();
    assert!(table.out.contains("text-generation") && table.out.contains("mine"), "{table:?}");
    assert!(mesh.run(&["subnet", "show", "1"]).succeeded().out.contains("incentive"));
}
