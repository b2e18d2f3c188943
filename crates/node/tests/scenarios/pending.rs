//! A pending transaction survives the death of its node.

use std::process::Stdio;

use crate::{
    mesh::{eventually, nervure},
    validator_group::ValidatorGroup,
};

#[test]
fn pending_transactions_survive_the_death_of_the_node() {
    let mut group = ValidatorGroup::running(2, 300, None);
    let to = group.ask(1, &["key", "show", "--json"]).succeeded().json()["node"].as_str().unwrap().to_owned();
    // One of two validators makes no blocks, so that the transaction stays pending.
    group.kill(1);
    let owner = group.spec().with_file_name("owner.pem");
    let mut send = nervure();
    send.arg("--dir").arg(group.dir(0)).args(["wallet", "send", &to, "12.5", "--key"]).arg(owner);
    let mut sending = send.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waits =
        |group: &ValidatorGroup| eventually("it waits", || (group.chain(0)["waiting"] == 1).then_some(()));
    waits(&group);
    sending.kill().unwrap();
    sending.wait().unwrap();

    group.kill(0);
    group.start(0);
    waits(&group);
    assert!(group.log(0).contains("a pending transaction was restored"), "{}", group.log(0));
    // After a stop in good order as well.
    group.stop(0);
    group.start(0);
    waits(&group);

    group.start(1);
    eventually("it is carried out", || {
        let key = group.dir(1).join("key.pem");
        let shown = group.ask(0, &["wallet", "show", "--json", "--key", key.to_str().unwrap()]);
        // Beside the token that the spec gives to the owner of each node.
        (shown.code == 0 && shown.json()["balance"] == 13_500_000_000u64).then_some(())
    });
    eventually("nothing is pending", || (group.chain(0)["waiting"] == 0).then_some(()));
    // Only the magic number of the log is left.
    assert_eq!(std::fs::read(group.dir(0).join("transactions.pending")).unwrap(), b"nervtxs3");
}
