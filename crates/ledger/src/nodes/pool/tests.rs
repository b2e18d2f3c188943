use proptest::prelude::*;

use super::*;

/// What all tokens of a mesh are together, in base units.
const ALL: u64 = crate::economics::emission::CAP;

#[test]
fn stake_earns_by_its_time_and_not_by_the_block_of_an_epoch() {
    // A thousand units of dividends for an epoch of 100 blocks; a newcomer as large as all others stays one block.
    let earned = |blocks: u64| {
        let mut pool = StakePool::new(0);
        pool.deposit(1_000_000).unwrap();
        let held = pool.deposit(1_000_000).unwrap();
        pool.release_over(1_000, blocks);
        pool.at(1).worth(held) - 1_000_000
    };
    assert_eq!(earned(100), 5, "half of one block's part");
    assert_eq!(earned(0), 500, "paid at once, one block would earn half of the epoch");
}

#[test]
fn nothing_is_released_while_nobody_has_a_stake() {
    let mut pool = StakePool::new(0);
    let held = pool.deposit(1_000).unwrap();
    pool.release_over(1_000, 10);
    pool = pool.at(2);
    pool.withdraw(held, 1_200);
    assert_eq!((pool.tokens, pool.shares, pool.unreleased), (0, 0, 800));
    pool = pool.at(1_000);
    let held = pool.deposit(1_000).unwrap();
    assert_eq!(pool.at(1_001).worth(held), 1_100);
    assert_eq!(pool.at(1_008).worth(held), 1_800);
}

#[test]
fn a_pool_whose_shares_are_worth_nothing_takes_no_deposit() {
    let mut pool = StakePool { shares: 5, ..StakePool::new(0) };
    assert_eq!(pool.deposit(1_000), None);
    assert_eq!(pool, StakePool { shares: 5, ..StakePool::new(0) });
    let mut dear = StakePool { tokens: 1, shares: MAX_SHARES, ..StakePool::new(0) };
    assert_eq!(dear.deposit(ALL), None, "the shares would not fit");
}

/// The inflation attack on pools: the first staker makes a share worth more than the victim's deposit, which then rounds
/// to no share at all.
#[test]
fn a_share_cannot_become_so_dear_that_a_deposit_rounds_away() {
    let mut pool = StakePool::new(0);
    let attacker = pool.deposit(1).unwrap();
    pool.release_over(ALL / 2, 1);
    pool = pool.at(1);
    let victim = pool.deposit(1_000_000).unwrap();
    assert!(pool.worth(victim) >= 1_000_000 - 2_000, "{} of 1,000,000", pool.worth(victim));
    assert!(pool.worth(attacker) <= ALL / 2 + 1 + 2_000);
    // With one share per unit, the victim gets none.
    let mut plain = StakePool { tokens: 1 + ALL / 2, shares: 1, ..StakePool::new(0) };
    assert_eq!(plain.deposit(1_000_000), Some(0));
}

/// Deposits and withdrawals of two stakers, dividends, and blocks that pass.
#[derive(Clone, Copy, Debug)]
enum Step {
    Deposit(usize, u64),
    Withdraw(usize, u64),
    Dividend(u64, u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = || prop_oneof![1u64..5, 1u64..1_000_000, 1u64..1 << 44];
    let step = prop_oneof![
        (0usize..2, amount()).prop_map(|(who, amount)| Step::Deposit(who, amount)),
        (0usize..2, amount()).prop_map(|(who, amount)| Step::Withdraw(who, amount)),
        (amount(), 0u64..50).prop_map(|(amount, blocks)| Step::Dividend(amount, blocks)),
        (0u64..30).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

/// The pool after `steps`, the shares and what each staker put in and got back.
struct Played {
    pool: StakePool,
    shares: [u128; 2],
    paid_in: [u64; 2],
    got: [u64; 2],
    dividends: u64,
}

fn play(steps: &[Step]) -> Played {
    let (pool, shares) = (StakePool::new(0), [0; 2]);
    let mut played = Played { pool, shares, paid_in: [0; 2], got: [0; 2], dividends: 0 };
    let mut block = 0;
    for step in steps {
        played.pool = played.pool.at(block);
        let pool = &mut played.pool;
        match *step {
            Step::Deposit(who, amount) => {
                played.shares[who] += pool.deposit(amount).unwrap();
                played.paid_in[who] += amount;
            }
            Step::Withdraw(who, amount) => {
                let amount = amount.min(pool.worth(played.shares[who]));
                played.shares[who] = pool.withdraw(played.shares[who], amount);
                played.got[who] += amount;
            }
            Step::Dividend(amount, blocks) if pool.shares > 0 => {
                pool.release_over(amount, blocks);
                played.dividends += amount;
            }
            Step::Dividend(..) => {}
            Step::Wait(blocks) => block += blocks,
        }
    }
    played
}

proptest! {
    #[test]
    fn nothing_is_lost_or_made(steps in steps()) {
        let Played { pool, shares, paid_in, got, dividends } = play(&steps);
        let whole = u128::from(paid_in.iter().sum::<u64>() + dividends) - u128::from(got.iter().sum::<u64>());
        prop_assert_eq!(pool.held(), whole);
        prop_assert_eq!(pool.shares, shares.iter().sum::<u128>());
        let worth: u64 = shares.iter().map(|held| pool.worth(*held)).sum();
        prop_assert!(worth <= pool.tokens && pool.tokens - worth <= 1);
    }

    #[test]
    fn nobody_gains_by_rounding(first in 1u64..1 << 44, earned in 0u64..1 << 44, moves in proptest::collection::vec((any::<bool>(), 1u64..1 << 30), 1..60)) {
        // A pool whose shares are worth anything but a round number, and one staker who moves in and out.
        let mut pool = StakePool::new(0);
        let other = pool.deposit(first).unwrap();
        pool.release_over(earned, 1);
        pool = pool.at(1);
        let (mut held, mut paid_in, mut got, mut least) = (0, 0, 0, pool.worth(other));
        for (deposits, amount) in moves {
            if deposits {
                held += pool.deposit(amount).unwrap();
                paid_in += amount;
            } else {
                let amount = amount.min(pool.worth(held));
                held = pool.withdraw(held, amount);
                got += amount;
            }
            prop_assert!(pool.worth(held) + got <= paid_in);
            prop_assert!(pool.worth(other) >= least, "and no other staker loses by it");
            least = pool.worth(other);
        }
    }

    #[test]
    fn settling_in_between_releases_the_same_within_a_unit_each(amount in 1u64..1 << 50, blocks in 1u64..100, stops in proptest::collection::vec(1u64..20, 0..10)) {
        let mut pool = StakePool::new(0);
        pool.deposit(1_000_000).unwrap();
        pool.release_over(amount, blocks);
        let (mut often, mut block) = (pool, 0);
        for stop in &stops {
            block += stop;
            often = often.at(block);
        }
        let once = pool.at(block);
        prop_assert!(once.tokens.abs_diff(often.tokens) <= stops.len() as u64);
        prop_assert_eq!(once.held(), often.held());
    }
}
