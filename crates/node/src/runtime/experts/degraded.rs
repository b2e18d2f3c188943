//! An expert with noise in its answers, for testing how the mesh reacts: `quality=40` mixes 60 % of noise into a model's
//! answers.

use futures::{StreamExt, future::BoxFuture};
use nervure_experts::{Expert, ExpertStream, Health, ModelCard};
use nervure_protocol::{ExpertEvent, ExpertRequest, ModelIdentity};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// An expert whose answers are partly noise.
pub(super) struct DegradedExpert<E> {
    inner: E,
    card: ModelCard,
    /// The share of an answer that is not noise, 0 to 1.
    quality: f32,
}

impl<E: Expert> DegradedExpert<E> {
    /// `inner`, with `percent` of its answers kept and the rest replaced by noise, and with this statement about its model.
    pub(super) fn new(inner: E, percent: u8, identity: ModelIdentity) -> Self {
        let card = ModelCard { identity, ..inner.card().clone() };
        Self { inner, card, quality: f32::from(percent.min(100)) / 100.0 }
    }
}

impl<E: Expert> Expert for DegradedExpert<E> {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn run(&self, request: ExpertRequest) -> ExpertStream {
        self.run_passed_on(request, 1)
    }

    fn run_passed_on(&self, request: ExpertRequest, hops: u8) -> ExpertStream {
        let quality = self.quality;
        let mut noise = match seed(&request) {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => StdRng::from_rng(&mut rand::rng()),
        };
        let events = self.inner.run_passed_on(request, hops);
        ExpertStream::new(events.map(move |item| item.map(|event| degraded(event, quality, &mut noise))))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        self.inner.health()
    }
}

/// The seed of the noise: the same request seed gives the same noise.
fn seed(request: &ExpertRequest) -> Option<u64> {
    match request {
        ExpertRequest::Complete { sampling, .. } | ExpertRequest::Chat { sampling, .. } => sampling.seed,
        _ => None,
    }
}

fn degraded(event: ExpertEvent, quality: f32, rng: &mut StdRng) -> ExpertEvent {
    match event {
        ExpertEvent::Text(text) => {
            let letter = |c| match rng.random::<f32>() < quality {
                true => c,
                false => char::from(rng.random_range(b'a'..=b'z')),
            };
            ExpertEvent::Text(text.chars().map(letter).collect())
        }
        ExpertEvent::Distribution(probabilities) => {
            let uniform = (1.0 - quality) / probabilities.len() as f32;
            ExpertEvent::Distribution(probabilities.into_iter().map(|p| p * quality + uniform).collect())
        }
        ExpertEvent::Embedding { index, vector } => {
            let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let noisy = |x: f32| x * quality + (1.0 - quality) * largest * rng.random_range(-1.0..=1.0);
            ExpertEvent::Embedding { index, vector: vector.into_iter().map(noisy).collect() }
        }
        // Noise in a document would make it none.
        other @ (ExpertEvent::Fields(_) | ExpertEvent::Done { .. }) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_keeps_the_form_of_an_event() {
        let degraded = |event, quality| degraded(event, quality, &mut StdRng::seed_from_u64(1));
        let ExpertEvent::Distribution(mixed) = degraded(ExpertEvent::Distribution(vec![1.0, 0.0]), 0.4)
        else {
            panic!()
        };
        assert!((mixed[0] - 0.7).abs() < 1e-6 && (mixed[1] - 0.3).abs() < 1e-6, "{mixed:?}");
        let text = ExpertEvent::Text("thé end".into());
        assert_eq!(degraded(text.clone(), 1.0), text);
        let ExpertEvent::Text(noise) = degraded(text, 0.0) else { panic!() };
        assert!(noise.len() == 7 && noise.bytes().all(|b| b.is_ascii_lowercase()), "{noise}");
    }
}
