//! Many connections from one address, and keys without end.

use nervure_p2p::AddressScope;

use crate::cluster::{Mesh, Node, eventually};

/// How many of `keys` strangers of one address stay with a node of a mesh of this scope, and whether a registered node of
/// the same address gets in after them.
async fn crowded(scope: AddressScope, keys: u8) -> (u32, bool) {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    (config.scope, config.reach.autonat, config.strangers) = (scope, false, 16);
    let victim = mesh.start(config);
    let address = victim.address().await;
    let strangers: Vec<Node> = (2..2 + keys)
        .map(|seed| {
            let mut config = mesh.stranger(seed);
            config.bootstrap = vec![address.clone()];
            mesh.start(config)
        })
        .collect();
    eventually("all have tried", async || {
        let status = victim.status().await;
        status.connected + u32::try_from(status.strangers_refused).unwrap() >= u32::from(keys)
    })
    .await;
    let stayed = victim.status().await.connected;
    let mut config = mesh.config(99);
    config.bootstrap = vec![address];
    let member = mesh.start(config);
    eventually("a registered node gets in", async || victim.is_connected_to(member.id()).await).await;
    drop(strangers);
    (stayed, victim.is_connected_to(member.id()).await)
}

#[tokio::test]
async fn one_address_holds_an_eighth_of_the_strangers_share() {
    assert_eq!(crowded(AddressScope::Public, 12).await, (2, true));
    assert_eq!(crowded(AddressScope::Local, 12).await, (12, true), "the variant without a bound per network");
}
