//! The weights that count in an epoch: stored weights, masked and normalised.

use super::{EpochInput, RowKind, YumaError, sparse::Matrix};
use crate::fixed::I32F32;

/// The weights that count in this epoch, each row summing to one (or to zero).
///
/// A row counts when its uid holds a permit. A cell does not count when a uid weights itself (unless
/// it is the owner), when it was set at or before the registration of the uid it is about, or when it
/// was committed before that: the new holder of a uid inherits nothing.
pub(crate) fn masked(input: &EpochInput<'_>, permits: &[bool]) -> Result<Matrix, YumaError> {
    let n = input.neurons.len();
    let cells = input.neurons.iter().zip(permits).filter(|(_, permit)| **permit);
    let cells = cells.map(|(neuron, _)| neuron.weights.len()).sum();
    let mut matrix = Matrix::with_capacity(n, n, cells);
    for (row, neuron) in input.neurons.iter().enumerate() {
        // Read for rows without a permit as well: a malformed row is an error whether or not it counts.
        let stored = input.row(row, RowKind::Weights)?;
        if permits[row] {
            let keeps_self = input.is_owner(row);
            for &(uid, value) in stored.iter() {
                let column = usize::from(uid.0);
                let registered = input.neurons[column].registered;
                // At equality too: within one block the weights may have been signed before the slot
                // changed hands.
                let outdated = neuron.last_update <= registered
                    || neuron.commit_block.is_some_and(|committed| committed < registered);
                if !outdated && (column != row || keeps_self) {
                    // A weight of zero is pushed as a cell: under liquid alpha it keeps the bond alive.
                    matrix.push(uid.0, I32F32::from_int(value.into()));
                }
            }
        }
        matrix.end_row();
    }
    // After the masks: what is masked does not dilute the rest of the row.
    matrix.normalize_rows();
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use nervure_primitives::Uid;

    use super::*;
    use crate::yuma::{Cell, Neuron, Params};

    /// Three uids, of which uid 0 gives all three the same weight, changed by `change`.
    fn row_of_uid_0(params: &Params, change: impl FnOnce(&mut [Neuron<'_>; 3])) -> Vec<u16> {
        let weights: [Cell; 3] = [(Uid(0), 9), (Uid(1), 9), (Uid(2), 9)];
        let mut neurons = [Neuron { last_update: 10, ..Neuron::default() }; 3];
        neurons[0].weights = &weights;
        neurons[0].permit = true;
        change(&mut neurons);
        let input = EpochInput { params, block: 20, emission: 0, neurons: &neurons };
        let permits = super::super::permits::current(&input);
        masked(&input, &permits).unwrap().row(0).0.to_vec()
    }

    #[test]
    fn each_mask_drops_its_cells() {
        let params = Params::default();
        assert_eq!(row_of_uid_0(&params, |_| {}), [1, 2], "no weight for oneself");
        let owner = Params { owner: Some(Uid(0)), ..Params::default() };
        assert_eq!(row_of_uid_0(&owner, |_| {}), [0, 1, 2], "but for the owner");
        assert_eq!(
            row_of_uid_0(&owner, |neurons| neurons[0].permit = false),
            [0, 1, 2],
            "whose permit is forced"
        );
        assert_eq!(row_of_uid_0(&params, |neurons| neurons[0].permit = false), [0; 0]);
        assert_eq!(
            row_of_uid_0(&params, |neurons| neurons[1].registered = 10),
            [2],
            "set no later than registered"
        );
        assert_eq!(row_of_uid_0(&params, |neurons| neurons[1].registered = 9), [1, 2]);
        let committed = |at| {
            move |neurons: &mut [Neuron<'_>; 3]| {
                neurons[2].registered = 5;
                neurons[0].commit_block = Some(at);
            }
        };
        assert_eq!(row_of_uid_0(&params, committed(4)), [1], "committed before registered");
        assert_eq!(row_of_uid_0(&params, committed(5)), [1, 2]);
    }
}
