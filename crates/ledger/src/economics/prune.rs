//! Which subnet or neuron loses its slot when all slots are taken.
//!
//! Newcomers are immune, because they had no chance to earn yet. Among the rest the one that earns least is pruned; of
//! equals the oldest, and of equally old ones the one with the lowest number.

/// Non-immune neurons that a full subnet keeps: at this many or fewer, an immune one is pruned instead, if there is any.
pub const MIN_NON_IMMUNE: usize = 10;

/// A subnet that might be dissolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetRank {
    /// Its number.
    pub netuid: u16,
    /// The block at which it was registered.
    pub registered: u64,
    /// Moving average of its emission, in a unit common to all.
    pub emission: u128,
}

/// A neuron that might lose its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeuronRank {
    /// Its slot.
    pub uid: u16,
    /// The block at which it was registered.
    pub registered: u64,
    /// Its emission in the last epoch, in base units.
    pub emission: u64,
    /// Whether it is the subnet owner's, which is never pruned.
    pub owner: bool,
}

/// Whether a subnet or neuron that was registered at `registered` is still immune at `block`.
pub fn is_immune(registered: u64, immunity: u64, block: u64) -> bool {
    block < registered.saturating_add(immunity)
}

/// The subnet to dissolve at `block`: of those no longer immune the one with the lowest emission, on
/// a tie the oldest. `None` when all are immune.
pub fn subnet(subnets: &[SubnetRank], immunity: u64, block: u64) -> Option<u16> {
    subnets
        .iter()
        .filter(|subnet| !is_immune(subnet.registered, immunity, block))
        .min_by_key(|subnet| (subnet.emission, subnet.registered, subnet.netuid))
        .map(|subnet| subnet.netuid)
}

/// The slot to free at `block`: the non-immune neuron that earns least while more than
/// [`MIN_NON_IMMUNE`] are left, otherwise the immune one that earns least. Without immune ones it is the non-immune one
/// again: a subnet with few slots would be closed for good. `None` when only the owner's is left.
pub fn neuron(neurons: &[NeuronRank], immunity: u64, block: u64) -> Option<u16> {
    let (immune, mature): (Vec<&NeuronRank>, Vec<&NeuronRank>) = neurons
        .iter()
        .filter(|neuron| !neuron.owner)
        .partition(|neuron| is_immune(neuron.registered, immunity, block));
    // A flood of registrations must not push out the last neurons that earn: newcomers then replace
    // newcomers.
    let candidates = if mature.len() > MIN_NON_IMMUNE || immune.is_empty() { mature } else { immune };
    candidates
        .into_iter()
        // The uid makes the order total, so that every node prunes the same slot.
        .min_by_key(|neuron| (neuron.emission, neuron.registered, neuron.uid))
        .map(|neuron| neuron.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` neurons registered at `registered`, the lowest uid earning least.
    fn some(first: u16, count: u16, registered: u64) -> Vec<NeuronRank> {
        (first..first + count)
            .map(|uid| NeuronRank { uid, registered, emission: uid.into(), owner: false })
            .collect()
    }

    #[test]
    fn prunes_the_lowest_mature_neuron_and_of_equals_the_oldest() {
        let mut all = some(0, 12, 5);
        assert_eq!(neuron(&all, 100, 500), Some(0));
        all[3].emission = 0;
        all[3].registered = 4;
        assert_eq!(neuron(&all, 100, 500), Some(3));
    }

    #[test]
    fn with_ten_mature_neurons_prunes_an_immune_one() {
        let all = [some(0, 10, 0), some(10, 3, 450)].concat();
        assert_eq!(neuron(&all, 100, 500), Some(10));
        let all = [some(0, 11, 0), some(11, 3, 450)].concat();
        assert_eq!(neuron(&all, 100, 500), Some(0));
    }

    #[test]
    fn never_prunes_the_owner() {
        let mut all = some(0, 12, 0);
        all[0].owner = true;
        assert_eq!(neuron(&all, 100, 500), Some(1));
        all.truncate(1);
        assert_eq!(neuron(&all, 100, 500), None);
    }

    #[test]
    fn a_full_subnet_of_few_slots_stays_open() {
        assert_eq!(neuron(&some(0, 10, 0), 100, 500), Some(0), "ten mature ones and none immune");
        let mut two = some(0, 2, 0);
        two[0].owner = true;
        assert_eq!(neuron(&two, 100, 500), Some(1));
        two[1].registered = 450;
        assert_eq!(neuron(&two, 100, 500), Some(1), "immune, but the only one");
    }

    #[test]
    fn immunity_ends_with_its_last_block() {
        assert!(is_immune(10, 5, 14) && !is_immune(10, 5, 15));
        assert!(is_immune(u64::MAX, 5, 15));
    }
}
