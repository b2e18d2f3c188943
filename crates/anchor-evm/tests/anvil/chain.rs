//! A chain with a contract on it.

use std::{fmt::Debug, future::Future, time::Duration};

use nervure_anchor::{AnchorError, AnchorSet, Submission};
use nervure_anchor_evm::{
    Account, DeployedContract, Deployment, EvmAnchor, EvmConfig, Finality, Limits,
    anvil::{Anvil, AnvilOptions},
    deploy, testing,
};
use nervure_primitives::BlockHeight;
use serde_json::{Value, json};

use crate::{
    mesh::{MESH, four},
    tools,
};

pub(crate) const LIMITS: Limits = Limits { poll_interval: Duration::from_millis(20), ..Limits::LOCAL };

/// Runs a test on its own runtime.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

/// Repeats `ask` until it has a result.
pub(crate) async fn until<T: Debug, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    for _ in 0..1_000 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no result in time");
}

pub(crate) fn account() -> Account {
    Anvil::account().unwrap()
}

/// A chain that mines each transaction at once, and a contract whose first set is [`four`].
pub(crate) struct Chain {
    pub(crate) anvil: Anvil,
    pub(crate) contract: DeployedContract,
}

pub(crate) fn deployment(validators: &AnchorSet) -> Deployment {
    Deployment { mesh: MESH, height: BlockHeight(0), validators: validators.hash() }
}

impl Chain {
    pub(crate) async fn start(options: AnvilOptions) -> Option<Self> {
        let anvil = Anvil::start(&tools::anvil()?, &options).await.unwrap();
        let contract = deploy(anvil.endpoint(), &account(), &deployment(&four()), &LIMITS).await.unwrap();
        Some(Self { anvil, contract })
    }

    pub(crate) fn config(&self, depth: u64) -> EvmConfig {
        EvmConfig {
            endpoints: vec![self.anvil.endpoint().to_owned()],
            domain: self.contract.domain,
            since: self.contract.block,
            finality: Finality::Depth(depth),
            limits: LIMITS,
        }
    }

    pub(crate) async fn anchor(&self, depth: u64) -> EvmAnchor {
        EvmAnchor::connect(self.config(depth), MESH, Some(account())).await.unwrap()
    }

    /// A JSON-RPC request; its error is that of the answer.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Value, Value> {
        ask(self.anvil.endpoint(), method, params).await
    }

    /// The contract's answer to a submission that the client did not check before.
    pub(crate) async fn show(
        &self,
        contract: &DeployedContract,
        submission: &Submission,
    ) -> Result<bool, AnchorError> {
        let call =
            json!({ "to": contract.domain.contract.to_string(), "data": testing::calldata(submission) });
        match self.ask("eth_call", json!([call, "latest"])).await {
            Ok(answer) => Ok(answer.as_str().unwrap().ends_with('1')),
            Err(error) => Err(testing::rejection(error["data"].as_str().unwrap_or_default())),
        }
    }

    pub(crate) async fn mine(&self, blocks: u64) {
        self.ask("anvil_mine", json!([blocks])).await.unwrap();
    }
}

pub(crate) async fn ask(endpoint: &str, method: &str, params: Value) -> Result<Value, Value> {
    let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = reqwest::Client::new().post(endpoint).json(&question).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    match answer.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(answer["result"].clone()),
    }
}
