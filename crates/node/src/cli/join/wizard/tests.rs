use std::collections::VecDeque;

use nervure_primitives::{MechanismSpec, NodeKey};

use super::*;

/// Answers in order, and what was shown.
struct Script {
    answers: VecDeque<&'static str>,
    shown: Vec<String>,
}

impl Conversation for Script {
    fn say(&mut self, line: &str) {
        self.shown.push(line.to_owned());
    }

    fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        self.shown.push(question.to_owned());
        Ok(self.answers.pop_front().map(str::to_owned))
    }
}

/// A mesh with a subnet for byte models, one for chat models and one without a mechanism.
fn spec() -> MeshSpec {
    let mut spec = MeshSpec::test("a");
    let subnet = |netuid, name: &str, mechanism: Option<&str>| {
        SubnetSpec::new(Netuid(netuid), name, mechanism.map(MechanismSpec::named))
    };
    spec.subnets = vec![
        subnet(1, "bytes", Some("next-byte")),
        subnet(2, "empty", None),
        subnet(18, "chat", Some("exact-answer")),
        subnet(21, "vectors", Some("embedding")),
    ];
    spec
}

fn node() -> NodeId {
    NodeKey::from_seed(&[7; 32]).node_id()
}

fn ollama() -> ModelServer {
    let url = "http://127.0.0.1:11434/v1".to_owned();
    ModelServer { url, kind: "Ollama", models: vec!["qwen3:4b".into(), "nomic".into()] }
}

/// What comes of these answers, and what was shown.
fn asked(servers: &[ModelServer], answers: &[&'static str]) -> (anyhow::Result<Answers>, String) {
    let mut script = Script { answers: answers.iter().copied().collect(), shown: Vec::new() };
    let result = ask(&mut script, (&spec(), node()), servers);
    (result, script.shown.join("\n"))
}

#[test]
fn empty_lines_start_a_node_without_a_role() {
    let (answers, shown) = asked(&[], &["", ""]);
    let answers = answers.unwrap();
    assert_eq!(answers, Answers { role: "none", experts: Vec::new(), sealed: false });
    assert!(shown.contains("costs nothing"), "{shown}");
    assert_eq!(Settings::parse(&answers.to_toml().unwrap()).unwrap().role, Some(None));
}

#[test]
fn a_chat_model_that_was_found_is_offered_the_subnet_that_pays_for_it() {
    let (answers, shown) = asked(&[ollama()], &["2", "1", "", "5", "y", ""]);
    let answers = answers.unwrap();
    let expert = "openai:http://127.0.0.1:11434/v1,model=qwen3:4b,netuid=18,price=5";
    assert_eq!(
        (answers.role, &answers.experts[..], answers.sealed),
        ("miner", &[expert.to_owned()][..], true)
    );
    for part in
        ["qwen3:4b at http://127.0.0.1:11434/v1 (Ollama)", "earns nothing there", "--netuid 18", "burns"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains(&format!("--role miner --expert '{expert}' --sealed")), "as flags: {shown}");
    // The file says what the flags say.
    let file = Settings::parse(&answers.to_toml().unwrap()).unwrap();
    let mut flags = Settings::default();
    answers.apply(&mut flags).unwrap();
    assert_eq!((file.role, &file.experts, file.sealed), (flags.role, &flags.experts, flags.sealed));
    assert_eq!((flags.role, flags.experts[0].price), (Some(Some(Role::Miner)), 5));
}

#[test]
fn a_byte_model_an_embedding_model_and_a_typed_url_are_written_as_experts() {
    let expert = |answers: &[&'static str]| asked(&[ollama()], answers).0.unwrap().experts.remove(0);
    assert_eq!(expert(&["2", "3", "", "", "", ""]), "builtin:rust,netuid=1,price=0");
    // The second model in the second subnet that pays for it.
    let embedding = expert(&["2", "2", "2", "", "", ""]);
    assert!(embedding.ends_with("model=nomic,capability=text.embed,netuid=21,price=0"), "{embedding}");
    let typed = expert(&["2", "4", "my server", "http://10.0.0.2:8000/v1", "", "", "", ""]);
    assert_eq!(typed, "openai:http://10.0.0.2:8000/v1,netuid=18,price=0");
}

#[test]
fn answers_that_do_not_fit_are_asked_for_again_and_the_end_of_the_input_starts_nothing() {
    let (answers, shown) = asked(&[], &["9", "x", "1", "maybe", "yes"]);
    assert_eq!(answers.unwrap().role, "none");
    assert!(shown.contains("There is no 9") && shown.contains("no whole number") && shown.contains("y or n"));
    let refused = |answers: &[&'static str]| asked(&[], answers).0.unwrap_err().to_string();
    assert!(refused(&["2"]).contains("by flags"));
    assert!(refused(&["", "n"]).contains("nothing was started"));
    assert!(refused(&["9"; 20]).contains("no option"));
}

#[test]
fn a_gateway_and_a_validator_are_told_what_to_register() {
    let (answers, shown) = asked(&[], &["4", ""]);
    assert_eq!(answers.unwrap().role, "gateway");
    assert!(shown.contains("nervure key register") && shown.contains("nervure stake add"), "{shown}");
    let (answers, shown) = asked(&[], &["3", ""]);
    assert_eq!(answers.unwrap().role, "validator");
    assert!(shown.contains("nervure neuron register --netuid N"), "{shown}");
}
