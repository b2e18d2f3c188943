//! Vectors as a miner claims them, in integers.
//!
//! Each vector is divided by its largest component and scaled to 2^13, which does not change a ranking;
//! division and rounding are exact in IEEE arithmetic, so that every machine reads the same integers.

use super::super::{Answer, MAX_DIMENSIONS};

/// Largest component, in the integers' unit.
const SCALE: f64 = 8192.0;

/// Largest component that is taken; models' lie far below.
const MAX_COMPONENT: f32 = 1e9;

/// Smallest length that is not taken for zero.
const MIN_LENGTH: f32 = 1e-9;

/// A cosine of 1.
pub(super) const COSINE_ONE: i64 = 1 << 20;

/// Vectors of one length, none of them zero, some of them missing.
#[derive(Debug)]
pub(super) struct Vectors(Vec<Option<Scaled>>);

/// A vector and the square of its length.
#[derive(Debug)]
struct Scaled {
    components: Vec<i32>,
    square: i64,
}

impl Vectors {
    /// The vectors of answers, one after another: each with the number of vectors that it should have, and those that are
    /// looked at. `None` if an answer is of another kind or has not as many, if vectors have different lengths or fewer
    /// than two dimensions, if a component is not a number or huge, or if a vector is zero. Those of a missing answer are
    /// missing.
    pub(super) fn read<'a>(answers: impl IntoIterator<Item = (&'a Answer, &'a [bool])>) -> Option<Self> {
        let (mut read, mut dimensions) = (Vec::new(), None);
        for (answer, counts) in answers {
            let vectors = match answer {
                Answer::Missing => {
                    read.extend(counts.iter().map(|_| None));
                    continue;
                }
                Answer::Vectors(vectors) if vectors.len() == counts.len() => vectors,
                _ => return None,
            };
            for (vector, looked_at) in vectors.iter().zip(counts) {
                let length = *dimensions.get_or_insert(vector.len());
                if length != vector.len() || !(2..=MAX_DIMENSIONS).contains(&length) {
                    return None;
                }
                read.push(if *looked_at { Some(scaled(vector)?) } else { None });
            }
        }
        Some(Self(read))
    }

    /// The cosine between two of them, in parts of [`COSINE_ONE`]; of the same vector a little less, by rounding. None
    /// where one is missing.
    pub(super) fn cosine(&self, a: usize, b: usize) -> Option<i64> {
        let (a, b) = (self.0.get(a)?.as_ref()?, self.0.get(b)?.as_ref()?);
        // At most 2^14 dimensions of 2^26 each: a product has at most 2^40, two lengths together 2^80.
        let lengths = (i128::from(a.square) * i128::from(b.square)).isqrt().max(1);
        Some((i128::from(dot(&a.components, &b.components)) * i128::from(COSINE_ONE) / lengths) as i64)
    }
}

fn dot(a: &[i32], b: &[i32]) -> i64 {
    a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
}

fn scaled(vector: &[f32]) -> Option<Scaled> {
    // A NaN is neither at most the largest nor more than it, hence the explicit check.
    let largest = vector.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    if !vector.iter().all(|x| x.is_finite()) || !(MIN_LENGTH..=MAX_COMPONENT).contains(&largest) {
        return None;
    }
    let scale = |x: &f32| (f64::from(*x) / f64::from(largest) * SCALE).round() as i32;
    let components: Vec<i32> = vector.iter().map(scale).collect();
    let square = dot(&components, &components);
    Some(Scaled { components, square })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(vectors: &[&[f32]]) -> Option<Vectors> {
        let vectors: Vec<Vec<f32>> = vectors.iter().map(|vector| vector.to_vec()).collect();
        let all = vec![true; vectors.len()];
        Vectors::read([(&Answer::Vectors(vectors), all.as_slice())])
    }

    #[test]
    fn cosines_are_those_of_the_vectors() {
        let vectors = read(&[&[1.0, 0.0], &[0.0, 5.0], &[2.0, 2.0], &[-3.0, 0.0]]).unwrap();
        assert_eq!(vectors.cosine(0, 0), Some(COSINE_ONE));
        assert_eq!(vectors.cosine(0, 1), Some(0));
        assert_eq!(vectors.cosine(0, 3), Some(-COSINE_ONE));
        assert_eq!(vectors.cosine(0, 2).unwrap() * 1000 / COSINE_ONE, 707);
        assert_eq!(vectors.cosine(0, 9), None);
    }

    #[test]
    fn degenerate_vectors_are_none() {
        for bad in [&[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0], &[1e30, 1.0], &[1e-30, 0.0]] {
            assert!(read(&[&[1.0, 0.5], bad]).is_none(), "{bad:?}");
        }
        assert!(read(&[&[1.0]]).is_none(), "one dimension");
        assert!(read(&[&[1.0, 2.0], &[1.0, 2.0, 3.0]]).is_none());
        let (one, text) = (Answer::Vectors(vec![vec![1.0, 2.0]]), Answer::Text(String::new()));
        assert!(Vectors::read([(&one, &[true; 2][..])]).is_none(), "too few");
        assert!(Vectors::read([(&text, &[true][..])]).is_none());
        let longer = Answer::Vectors(vec![vec![1.0, 2.0, 3.0]]);
        assert!(Vectors::read([(&one, &[true][..]), (&longer, &[true][..])]).is_none(), "two models");
    }

    #[test]
    fn a_missing_answer_leaves_the_others_in_their_places() {
        let (one, missing) = (Answer::Vectors(vec![vec![1.0, 0.0]]), Answer::Missing);
        let answers = [(&one, &[true][..]), (&missing, &[true; 2][..]), (&one, &[true][..])];
        let vectors = Vectors::read(answers).unwrap();
        assert_eq!((vectors.cosine(0, 3), vectors.cosine(0, 1)), (Some(COSINE_ONE), None));
        let filler = Answer::Vectors(vec![vec![0.0, 0.0], vec![1.0, 0.0]]);
        let vectors = Vectors::read([(&filler, &[false, true][..])]).unwrap();
        assert_eq!((vectors.cosine(0, 1), vectors.cosine(1, 1)), (None, Some(COSINE_ONE)));
    }

    #[test]
    fn the_widest_vectors_do_not_overflow() {
        let wide = vec![MAX_COMPONENT; MAX_DIMENSIONS];
        let vectors = read(&[&wide, &wide]).unwrap();
        assert_eq!(vectors.cosine(0, 1), Some(COSINE_ONE));
    }

    proptest! {
        #[test]
        fn no_vectors_make_it_panic(
            vectors in proptest::collection::vec(proptest::collection::vec(any::<f32>(), 0..4), 0..4)
        ) {
            let vectors: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
            if let Some(cosine) = read(&vectors).and_then(|read| read.cosine(0, 1)) {
                prop_assert!(cosine.abs() <= COSINE_ONE);
            }
        }
    }
}
