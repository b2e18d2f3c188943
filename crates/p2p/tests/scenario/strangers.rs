//! Nodes that are not registered get a share of the connections, never all of them.

use nervure_p2p::AddressScope;

use crate::cluster::{Mesh, Node, eventually};

/// How many of `count` strangers of one network stay, and how many were refused, with a quota of `quota`.
async fn strangers(scope: AddressScope, quota: u32, count: u8) -> (u32, u64) {
    let mesh = Mesh::new(1);
    let mut config = mesh.config(1);
    config.strangers = quota;
    config.scope = scope;
    config.reach.autonat = false;
    let host = mesh.start(config);
    let address = host.address().await;
    let guests: Vec<Node> = (2..2 + count)
        .map(|seed| {
            let mut config = mesh.stranger(seed);
            config.bootstrap = vec![address.clone()];
            mesh.start(config)
        })
        .collect();
    eventually("all have tried to connect", async || {
        let status = host.status().await;
        status.connected + u32::try_from(status.strangers_refused).unwrap() >= u32::from(count)
    })
    .await;
    let mut config = mesh.config(99);
    config.bootstrap = vec![address];
    let member = mesh.start(config);
    eventually("a registered node gets in", async || host.is_connected_to(member.id()).await).await;
    let status = host.status().await;
    drop(guests);
    (status.connected - 1, status.strangers_refused)
}

#[tokio::test]
async fn strangers_beyond_their_share_are_refused() {
    let (stayed, refused) = strangers(AddressScope::Local, 2, 4).await;
    assert!(stayed <= 2 && refused >= 2, "{stayed} stayed, {refused} refused");
}

#[tokio::test]
async fn without_the_quota_all_strangers_stay() {
    assert_eq!(strangers(AddressScope::Local, 64, 4).await, (4, 0));
}

#[tokio::test]
async fn one_network_of_a_public_mesh_gets_a_part_of_the_share() {
    let (stayed, refused) = strangers(AddressScope::Public, 16, 4).await;
    assert!(stayed <= 2 && refused >= 2, "{stayed} stayed, {refused} refused");
}
