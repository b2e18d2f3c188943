//! The endpoints about the ledger: parameters are checked before anything is read.

use super::start;

const NODE: &str = "12D3KooWRapHF4Den8EzTSxucdDB4B4g7wi6XrvAhCFXKY9rR232";

#[tokio::test]
async fn names_the_invalid_parameter() {
    let api = start(|_| ()).await;
    let bad = [
        ("/checkpoints?limit=0", "limit"),
        ("/checkpoints?limit=201", "limit"),
        ("/checkpoints?before=-1", "before"),
        ("/checkpoints?page=2", "query"),
        ("/checkpoints/last", "height"),
        ("/checkpoints/18446744073709551616", "height"),
        ("/facts", "key"),
        ("/facts?key=neuron/1", "key"),
        ("/facts?key=chain&height=x", "height"),
        ("/epochs/x", "netuid"),
        ("/epochs/1", "node"),
        ("/epochs/1?node=me", "node"),
        ("/subnets/65536", "netuid"),
        ("/nodes/me", "node"),
    ];
    for (path, field) in bad {
        let reply = api.get(path).await;
        reply.error(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], field, "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn reports_a_node_without_a_chain() {
    let api = start(|_| ()).await;
    let paths = [
        "/checkpoints".to_owned(),
        "/checkpoints/latest".to_owned(),
        "/checkpoints/7".to_owned(),
        "/facts?key=chain".to_owned(),
        format!("/facts?key=account/{NODE}&height=7"),
        format!("/epochs/1?node={NODE}"),
        "/subnets".to_owned(),
        "/subnets/1".to_owned(),
        format!("/nodes/{NODE}"),
    ];
    for path in paths {
        assert!(api.get(&path).await.error(503, "unavailable").contains("follows no chain"), "{path}");
    }
}
