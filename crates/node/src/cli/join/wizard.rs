//! The questions of `nervure join` on a terminal: what the node is to do, which model it serves, where, and for what price.
//!
//! Each answer is a setting that a flag has, too. An empty line takes what is in brackets. Without a terminal nothing is
//! asked.

use std::io::{self, BufRead, Read, Write};

use nervure_ledger::{
    deposits::RecordKind,
    spec::{MeshSpec, Role, SubnetSpec},
};
use nervure_primitives::{Amount, Escaped, Netuid, NodeId};
use serde::Serialize;

use super::model_servers::ModelServer;
use crate::{
    cli::{mesh::describe::pays_for, output},
    config::{ExpertSpec, NodeRole, Settings, parse_role},
    runtime::earns_nothing,
};

/// Longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 4096;

/// How often a question is asked again after an answer that does not fit.
const MAX_TRIES: usize = 5;

/// Capability of a model in a subnet with the mechanism `embedding`.
const EMBEDDING_CAPABILITY: &str = "text.embed";

/// Who is asked: the user at the terminal, or a script in tests.
pub(super) trait Conversation {
    /// Shows a line.
    fn say(&mut self, line: &str);

    /// Asks for a line; none at the end of the input.
    fn ask(&mut self, question: &str) -> io::Result<Option<String>>;
}

/// The terminal of this process: questions go to standard error, and answers come from standard input.
pub(super) struct Terminal;

impl Conversation for Terminal {
    fn say(&mut self, line: &str) {
        output::note(line);
    }

    fn ask(&mut self, question: &str) -> io::Result<Option<String>> {
        let mut error = io::stderr().lock();
        write!(error, "{} ", Escaped::line(question))?;
        error.flush()?;
        let mut line = String::new();
        let read = io::stdin().lock().take(MAX_ANSWER_BYTES).read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim().to_owned()))
    }
}

/// What the user has chosen, as the config file says it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Answers {
    role: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    experts: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sealed: bool,
}

impl Answers {
    /// A config file with them.
    pub(super) fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// Puts them into the settings of the flags.
    pub(super) fn apply(&self, flags: &mut Settings) -> anyhow::Result<()> {
        flags.role = Some(self.role()?);
        flags.experts = self.experts.iter().map(|expert| expert.parse()).collect::<Result<_, _>>()?;
        flags.sealed |= self.sealed;
        Ok(())
    }

    /// The command with which the same node is started without questions.
    fn command(&self) -> String {
        let experts = self.experts.iter().map(|expert| format!(" --expert '{expert}'"));
        let sealed = if self.sealed { " --sealed" } else { "" };
        format!("nervure join MESH --role {}{}{sealed}", self.role, experts.collect::<String>())
    }

    fn role(&self) -> anyhow::Result<NodeRole> {
        parse_role(self.role).map_err(anyhow::Error::msg)
    }
}

/// Asks what a node of the mesh `spec` with the key of `node` is to do. `servers` are the model servers of this machine.
///
/// # Errors
/// When the input ends, or the user does not confirm.
pub(super) fn ask(
    talk: &mut dyn Conversation,
    (spec, node): (&MeshSpec, NodeId),
    servers: &[ModelServer],
) -> anyhow::Result<Answers> {
    let roles = [
        ("none", "none: look around, and ask"),
        ("miner", "miner: serve a model, and earn"),
        ("validator", "validator: test miners, and make blocks; needs stake"),
        ("gateway", "gateway: pass on the questions of users"),
    ];
    let texts: Vec<_> = roles.iter().map(|(_, text)| (*text).to_owned()).collect();
    let role = roles[choose(talk, "What is this node to do?", &texts)?].0;
    let mut answers = Answers { role, experts: Vec::new(), sealed: false };
    if answers.role()? == Some(Role::Miner) {
        answers.experts = vec![expert(talk, spec, servers)?];
        talk.say("A sealed miner hides where it is: it listens nowhere, and is asked through gateways only.");
        answers.sealed = confirm(talk, "Seal it? [y/N]", false)?;
    }
    say_costs(talk, (spec, node), &answers);
    talk.say(&format!("The same without questions: {}", answers.command()));
    anyhow::ensure!(confirm(talk, "Start? [Y/n]", true)?, "nothing was started");
    Ok(answers)
}

/// The expert of a miner, in the form of `--expert`.
fn expert(talk: &mut dyn Conversation, spec: &MeshSpec, servers: &[ModelServer]) -> anyhow::Result<String> {
    let source = source(talk, servers)?;
    let parsed: ExpertSpec = source.parse()?;
    let why = |subnet: &SubnetSpec| {
        earns_nothing(&parsed.source, subnet.mechanism.as_ref().map(|mechanism| mechanism.name.as_str()))
    };
    // Those that pay for it in front: the first one is the default.
    let mut subnets: Vec<&SubnetSpec> = spec.subnets.iter().collect();
    subnets.sort_by_key(|subnet| why(subnet).is_some());
    anyhow::ensure!(
        !subnets.is_empty(),
        "the mesh spec has no subnet\nname one that was founded later: --expert {source},netuid=N"
    );
    let mechanism = |subnet: &SubnetSpec| subnet.mechanism.as_ref().map(|mechanism| mechanism.name.clone());
    let texts: Vec<_> = subnets
        .iter()
        .map(|subnet| {
            let verdict = if why(subnet).is_some() { "; this model earns nothing there" } else { "" };
            let pays = pays_for(mechanism(subnet).as_deref());
            format!("{} ({}) pays for {pays}{verdict}", subnet.netuid, subnet.name)
        })
        .collect();
    let subnet = subnets[choose(talk, "In which subnet?", &texts)?];
    let price =
        number(talk, "Price of 1,000 tokens that it writes, in base units of the mesh's token [0]", 0)?;
    let capability = match mechanism(subnet).as_deref() {
        Some("embedding") => format!(",capability={EMBEDDING_CAPABILITY}"),
        _ => String::new(),
    };
    Ok(format!("{source}{capability},netuid={},price={price}", subnet.netuid))
}

/// Where the model is: a server of this machine, a model of this program, or a URL that the user types.
fn source(talk: &mut dyn Conversation, servers: &[ModelServer]) -> anyhow::Result<String> {
    let (mut sources, mut texts) = (Vec::new(), Vec::new());
    for server in servers {
        for model in &server.models {
            sources.push(format!("openai:{},model={model}", server.url));
            texts.push(format!("{model} at {} ({})", server.url, server.kind));
        }
    }
    if servers.is_empty() {
        talk.say("No model server was found on this machine (Ollama, vLLM, llama.cpp, LM Studio).");
    }
    sources.push("builtin:rust".into());
    texts.push("rust: a small model of this program that continues code byte by byte".into());
    texts.push("another server: type its URL".into());
    let chosen = choose(talk, "Which model does it serve?", &texts)?;
    if let Some(source) = sources.get(chosen) {
        return Ok(source.clone());
    }
    for _ in 0..MAX_TRIES {
        let url = line(talk, "URL of the server, with /v1:")?;
        let source = format!("openai:{url}");
        if url.starts_with("http") && !url.contains(',') && source.parse::<ExpertSpec>().is_ok() {
            return Ok(source);
        }
        talk.say("This is no URL: it looks like http://127.0.0.1:8000/v1.");
    }
    anyhow::bail!("no server was named")
}

/// What the role costs, and how it is paid.
fn say_costs(talk: &mut dyn Conversation, (spec, node): (&MeshSpec, NodeId), answers: &Answers) {
    let locked = |kinds: &[RecordKind]| {
        let each = kinds.iter().map(|kind| spec.economy.deposit(*kind));
        Amount::from_base_units(each.fold(0, u64::saturating_add))
    };
    if answers.role == "none" {
        return talk.say("It costs nothing: the node needs no registration.");
    }
    if spec.nodes.iter().any(|listed| listed.id == node) {
        return talk.say("The mesh spec lists this node: it is registered.");
    }
    talk.say(&format!("This node ({node}) has to be registered by the owner of some tokens:"));
    talk.say("  nervure key register KEY --key OWNER");
    if answers.role == "gateway" {
        return talk.say(&format!(
            "which locks {} tokens. Stake behind it lets it ask more: nervure stake add {node} AMOUNT",
            locked(&[RecordKind::Node])
        ));
    }
    let netuid = answers.experts.iter().find_map(|expert| expert.parse::<ExpertSpec>().ok()?.netuid);
    let netuid = netuid.map_or_else(|| "N".to_owned(), |netuid| Netuid(netuid).to_string());
    talk.say(&format!("  nervure neuron register --netuid {netuid} --node {node} --key OWNER"));
    talk.say(&format!(
        "which locks {} tokens while it is registered, and burns the price of the slot (nervure subnet show {netuid})",
        locked(&[RecordKind::Node, RecordKind::Neuron])
    ));
}

/// The index of the option that the user chooses; the first one by default.
fn choose(talk: &mut dyn Conversation, question: &str, options: &[String]) -> anyhow::Result<usize> {
    talk.say(question);
    for (index, option) in options.iter().enumerate() {
        talk.say(&format!("  {}  {option}", index + 1));
    }
    let most = options.len() as u64;
    for _ in 0..MAX_TRIES {
        let chosen = number(talk, &format!("1 to {most} [1]"), 1)?;
        if (1..=most).contains(&chosen) {
            return Ok(chosen as usize - 1);
        }
        talk.say(&format!("There is no {chosen} in this list."));
    }
    anyhow::bail!("no option was chosen")
}

/// A whole number; `default` for an empty line.
fn number(talk: &mut dyn Conversation, question: &str, default: u64) -> anyhow::Result<u64> {
    for _ in 0..MAX_TRIES {
        let answer = line(talk, question)?;
        match answer.parse() {
            Ok(number) => return Ok(number),
            Err(_) if answer.is_empty() => return Ok(default),
            Err(_) => talk.say("This is no whole number."),
        }
    }
    anyhow::bail!("no number was given")
}

/// Yes or no; `default` for an empty line.
fn confirm(talk: &mut dyn Conversation, question: &str, default: bool) -> anyhow::Result<bool> {
    for _ in 0..MAX_TRIES {
        match line(talk, question)?.to_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => talk.say("Answer y or n."),
        }
    }
    anyhow::bail!("neither yes nor no was given")
}

fn line(talk: &mut dyn Conversation, question: &str) -> anyhow::Result<String> {
    let answer = talk.ask(question)?;
    answer.ok_or_else(|| {
        anyhow::anyhow!(
            "the input ended before all questions were answered\nanswer them by flags: nervure join --help"
        )
    })
}

#[cfg(test)]
mod tests;
