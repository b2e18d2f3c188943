//! Miners die while they stream, and no client notices: the work of `nervure bench failover`, in small.

use crate::{
    machine,
    mesh::{CommandOutput, nervure},
};

#[test]
fn a_stream_continues_from_the_same_byte_when_its_miner_dies() {
    let _share = machine::beside_others();
    let mut command = nervure();
    command.args(["bench", "failover", "--json", "--streams", "24", "--parallel", "2", "--miners", "3"]);
    let output =
        CommandOutput::of(command.args(["--bytes", "800", "--pause", "5000"]).output().unwrap()).succeeded();
    let seen = output.json();
    assert_eq!((seen["completed"].as_u64(), seen["identical"].as_u64()), (Some(24), Some(24)), "{output:?}");
    assert!(seen["kills"].as_u64() >= Some(1) && seen["takeovers"].as_u64() >= Some(1), "{seen}");
}
