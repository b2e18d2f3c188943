//! Attacks on the contract, and variants of it that each let one of them through.

use nervure_anchor::{Anchor, AnchorAddress, AnchorDomain, AnchorSignature, Attestation, Submission};
use nervure_anchor_evm::{DeployedContract, anvil::AnvilOptions, testing};

use crate::{
    chain::{Chain, LIMITS, account, deployment, run},
    mesh::{checkpoint, four, key, set, signed, variant},
    tools,
};

/// Submissions to a contract that has height 10, each with its name.
fn attacks(domain: &AnchorDomain) -> Vec<(&'static str, Submission)> {
    let next = checkpoint(20, &four());
    let good = signed(domain, &next, &four(), &[1, 2, 3]);
    let changed = |change: &dyn Fn(&mut Submission)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let elsewhere = |domain: AnchorDomain| signed(&domain, &next, &four(), &[1, 2, 3]);
    let own = set(&[(9, 1)]);
    let for_the_real_set = Attestation::sign(&key(9), &next, domain, &four().hash()).signature;
    vec![
        ("sub-quorum", signed(domain, &next, &four(), &[1, 2])),
        ("a signer twice", changed(&|one| one.signatures = vec![one.signatures[0]; 3])),
        ("unsorted", changed(&|one| one.signatures.reverse())),
        ("a stranger", signed(domain, &next, &four(), &[1, 2, 3, 9])),
        ("forged", changed(&|one| one.signatures[0] = AnchorSignature::from_bytes([7; 64]))),
        ("not a signature", changed(&|one| one.signatures[2] = AnchorSignature::from_bytes([0; 64]))),
        ("for another checkpoint", changed(&|one| one.checkpoint = checkpoint(21, &four()))),
        ("replayed from another chain", elsewhere(AnchorDomain { chain: 1, ..*domain })),
        ("replayed from another contract", elsewhere(AnchorDomain { contract: OTHER, ..*domain })),
        (
            "own validators",
            Submission { checkpoint: next.clone(), validators: own, signatures: vec![for_the_real_set] },
        ),
        ("stale", signed(domain, &checkpoint(9, &four()), &four(), &[1, 2, 3])),
        ("conflict", signed(domain, &variant(10, 10, &four(), "other"), &four(), &[1, 2, 3])),
    ]
}

const OTHER: AnchorAddress = AnchorAddress::from_bytes([4; 20]);

/// The attacks that a contract accepts.
async fn accepted(chain: &Chain, contract: &DeployedContract) -> Vec<&'static str> {
    let mut taken = Vec::new();
    for (what, attack) in attacks(&contract.domain) {
        if chain.show(contract, &attack).await.is_ok_and(|stored| stored) {
            taken.push(what);
        }
    }
    taken
}

#[test]
fn the_contract_rejects_every_attack() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        let domain = chain.contract.domain;
        let first = signed(&domain, &checkpoint(10, &four()), &four(), &[1, 2, 3]);
        chain.anchor(0).await.submit(&first).await.unwrap();
        assert_eq!(accepted(&chain, &chain.contract).await, [""; 0]);
        let good = signed(&domain, &checkpoint(20, &four()), &four(), &[1, 2, 3]);
        assert!(chain.show(&chain.contract, &good).await.unwrap(), "a valid submission is accepted");
    });
}

/// A defence of the contract, its replacement, and the attack that then succeeds.
const VARIANTS: [(&str, &str, &str); 7] = [
    ("signed * 3 <= total * 2", "signed * 3 <= total", "sub-quorum"),
    ("if (account == wanted) {", "while (account == wanted) {", "a signer twice"),
    ("if (next < signatures.length) revert UnexpectedSigner(next, wanted);", "", "a stranger"),
    ("block.chainid, address(this)", "uint256(1), address(this)", "replayed from another chain"),
    (
        "block.chainid, address(this)",
        "block.chainid, address(0x0404040404040404040404040404040404040404)",
        "replayed from another contract",
    ),
    ("if (submitted != expected) revert OtherValidators(expected, submitted);", "", "own validators"),
    ("if (height <= latestHeight) revert Stale(height, latestHeight);", "", "stale"),
];

#[test]
fn each_attack_succeeds_where_its_defence_is_missing() {
    run(async {
        let Some(chain) = Chain::start(AnvilOptions::default()).await else { return };
        for (defence, instead, attack) in VARIANTS {
            let source = tools::source();
            assert_eq!(source.matches(defence).count(), 1, "{defence}");
            let Some(code) = tools::bytecode(&source.replace(defence, instead)) else { return };
            let mut begin = deployment(&four());
            begin.height = nervure_primitives::BlockHeight(10);
            let contract = testing::deploy_code(chain.anvil.endpoint(), &account(), &begin, &LIMITS, &code)
                .await
                .unwrap();
            assert!(accepted(&chain, &contract).await.contains(&attack), "without '{defence}': {attack}");
        }
    });
}
