//! A mesh that stands still: who verifies a block there with `--max-age` is refused with the reason, and without it warned.

use crate::{mesh::eventually, validator_group::ValidatorGroup};

#[test]
fn a_visitor_that_wants_fresh_blocks_is_refused_on_a_stale_mesh() {
    let mut group = ValidatorGroup::running(4, 300, None);
    let fresh = ["checkpoint", "verify", "2", "--max-age", "60"];
    group.ask(0, &fresh).succeeded();
    for number in [2, 3] {
        group.kill(number);
    }
    group.says(0, "no block is made");
    let stale = ["checkpoint", "verify", "2", "--max-age", "1"];
    let refused = eventually("the newest block is old", || {
        let output = group.ask(0, &stale);
        (output.code != 0).then_some(output)
    });
    assert!(
        refused.err.contains("--max-age allows 1 s") && refused.err.contains("makes no blocks"),
        "{refused:?}"
    );
    assert!(refused.err.contains("next: ask other nodes"), "{refused:?}");
    assert_eq!(refused.out, "", "nothing is printed that could be taken for verified");
    group.ask(0, &["checkpoint", "verify", "2"]).succeeded();
}
