//! The models with which a validator repeats the questions of the mechanism `reference`.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use nervure_experts::Expert;
use nervure_protocol::{ExpertEvent, ExpertRequest};
use nervure_subnet::mechanism::{Answer, reference::model_tag};

/// How long this validator's own model may take for one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// This validator's models.
#[derive(Clone, Default)]
pub(crate) struct ReferenceModels(Vec<Arc<dyn Expert>>);

impl ReferenceModels {
    /// These models.
    pub(crate) fn new(models: Vec<Arc<dyn Expert>>) -> Self {
        Self(models)
    }

    /// The model with that tag; the first one for 0.
    pub(super) fn find(&self, tag: u64) -> Option<Arc<dyn Expert>> {
        self.0.iter().find(|model| tag == 0 || model_tag(&model.card().model) == tag).cloned()
    }
}

/// The model's answers, in the order of the requests; a missing one where it fails.
pub(super) async fn answers(model: &dyn Expert, requests: &[ExpertRequest]) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        let events = model.run(request.clone());
        let text = tokio::time::timeout(ANSWER_TIMEOUT, text(events)).await.ok().flatten();
        answers.push(text.map_or(Answer::Missing, Answer::Text));
    }
    answers
}

/// All text of an answer that comes to its end.
async fn text(mut events: nervure_experts::ExpertStream) -> Option<String> {
    let mut text = String::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(ExpertEvent::Text(piece)) => text.push_str(&piece),
            Ok(ExpertEvent::Fields(_)) => {}
            Ok(ExpertEvent::Done { .. }) => return Some(text),
            Ok(_) => return None,
            Err(error) => {
                tracing::warn!(%error, "the reference model does not answer");
                return None;
            }
        }
    }
    None
}

#[cfg(test)]
#[cfg(feature = "byte-lm")]
mod tests {
    use nervure_byte_lm::{ByteExpert, ServeOptions, builtin};
    use nervure_primitives::MechanismSpec;
    use nervure_protocol::Score;
    use nervure_subnet::mechanism::{Material, Reply, build};

    use super::*;

    fn expert(domain: &str) -> Arc<dyn Expert> {
        let model = builtin::find(domain).unwrap();
        Arc::new(ByteExpert::builtin(model, ServeOptions::default()).unwrap())
    }

    fn replies(answers: Vec<Answer>) -> Vec<Reply> {
        answers.into_iter().map(|answer| Reply::new(answer, Duration::ZERO)).collect()
    }

    /// A program that knows how tasks are made, and not the model.
    fn program(requests: &[ExpertRequest]) -> Vec<Answer> {
        requests
            .iter()
            .map(|_| Answer::Text("    /// The number of bytes that are left.\n".repeat(20)))
            .collect()
    }

    #[tokio::test]
    async fn only_the_named_model_earns() {
        let models = ReferenceModels::new(vec![expert("python"), expert("rust")]);
        let tag = model_tag(&expert("rust").card().model);
        let mechanism =
            build(&MechanismSpec::named("reference").with("model", tag).with("questions", 3)).unwrap();
        let model = models.find(mechanism.reference_model().unwrap()).unwrap();
        assert_eq!(model.card().model, expert("rust").card().model);
        assert!(models.find(1).is_none());
        let mut task = mechanism.draw(5.into(), &Material::default()).unwrap();
        let reference = answers(model.as_ref(), task.requests()).await;
        task.set_reference(reference);
        let result = |answers: Vec<Answer>| task.score(&replies(answers));
        // Another instance of the model, as a miner's is.
        assert_eq!(result(answers(expert("rust").as_ref(), task.requests()).await), Score::ONE);
        let another = result(answers(expert("prose").as_ref(), task.requests()).await);
        let program = result(program(task.requests()));
        let tenth = Score::ratio(1, 10);
        assert!(another < tenth && program < tenth, "another model {another}, a program {program}");
    }
}
