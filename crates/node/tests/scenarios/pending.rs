//! A pending transaction survives the death of its node.

use std::process::Stdio;

use crate::{
    crew::Crew,
    mesh::{eventually, nervure},
};

#[test]
fn pending_transactions_survive_the_death_of_the_node() {
    let mut crew = Crew::running(2, 300, None);
    let to = crew.ask(1, &["key", "show", "--json"]).well().json()["node"].as_str().unwrap().to_owned();
    // One of two validators makes no blocks, so that the transaction stays pending.
    crew.kill(1);
    let owner = crew.spec().with_file_name("owner.pem");
    let mut send = nervure();
    send.arg("--dir").arg(crew.dir(0)).args(["wallet", "send", &to, "12.5", "--key"]).arg(owner);
    let mut sending = send.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waits = |crew: &Crew| eventually("it waits", || (crew.chain(0)["waiting"] == 1).then_some(()));
    waits(&crew);
    sending.kill().unwrap();
    sending.wait().unwrap();

    crew.kill(0);
    crew.start(0);
    waits(&crew);
    assert!(crew.log(0).contains("a pending transaction was restored"), "{}", crew.log(0));
    // After a stop in good order as well.
    crew.stop(0);
    crew.start(0);
    waits(&crew);

    crew.start(1);
    eventually("it is carried out", || {
        let key = crew.dir(1).join("key.pem");
        let shown = crew.ask(0, &["wallet", "show", "--json", "--key", key.to_str().unwrap()]);
        (shown.code == 0 && shown.json()["balance"] == 12_500_000_000u64).then_some(())
    });
    eventually("nothing is pending", || (crew.chain(0)["waiting"] == 0).then_some(()));
    // Only the magic number of the log is left.
    assert_eq!(std::fs::read(crew.dir(0).join("transactions.pending")).unwrap(), b"nervtxs2");
}
