//! One training run: random windows, AdamW with clipped gradients, and a held-out figure now and then.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use nervure_byte_lm::{ByteModel, Pass, parameter_shapes};
use nervure_experts::byte_text::{CONTEXT_BYTES, DOCUMENT_START};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Result;
use crate::schedule::{RunLength, Schedule};

/// Windows of one step.
const BATCH_WINDOWS: usize = 8;
/// Longest gradient; longer ones are scaled down to it.
const MAX_GRADIENT_NORM: f64 = 1.0;
/// One window in so many opens with [`DOCUMENT_START`], as a prompt does.
const FRESH_WINDOWS: u32 = 8;
/// Steps between two progress lines.
const REPORT_INTERVAL_STEPS: usize = 200;

pub(crate) struct Options {
    seed: u64,
    peak: f64,
    length: RunLength,
    decay: bool,
    from: Option<String>,
}

impl Options {
    pub(crate) fn parse(flags: &BTreeMap<String, String>) -> Result<Self> {
        let number = |name: &str, default: f64| -> Result<f64> {
            Ok(flags.get(name).map_or(Ok(default), |v| v.parse())?)
        };
        let length = match flags.get("steps").and_then(|s| s.split_once(',')) {
            Some((held, decay)) => RunLength::Steps(held.parse()?, decay.parse()?),
            None => RunLength::Clock(Duration::from_secs_f64(60.0 * number("minutes", 10.0)?)),
        };
        Ok(Self {
            seed: number("seed", 1.0)? as u64,
            peak: number("rate", 0.002)?,
            length,
            decay: !flags.contains_key("no-decay"),
            from: flags.get("from").cloned(),
        })
    }
}

pub(crate) struct Trainer {
    rng: ChaCha8Rng,
    peak: f64,
    schedule: Schedule,
    names: Vec<String>,
    vars: Vec<Var>,
    model: ByteModel,
    texts: Vec<Vec<u8>>,
    heldout: Vec<Vec<u8>>,
}

impl Trainer {
    pub(crate) fn new(options: Options, texts: Vec<Vec<u8>>, heldout: Vec<Vec<u8>>) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let start = match &options.from {
            Some(path) => candle_core::safetensors::load(path, &Device::Cpu)?,
            None => initial(&mut rng)?,
        };
        let mut names = Vec::new();
        let mut vars = Vec::new();
        let mut shared = HashMap::new();
        for (name, _) in parameter_shapes() {
            let var = Var::from_tensor(&start[&name].to_dtype(DType::F32)?)?;
            shared.insert(name.clone(), var.as_tensor().clone());
            names.push(name);
            vars.push(var);
        }
        Ok(Self {
            rng,
            peak: options.peak,
            schedule: Schedule::new(options.length, options.decay),
            names,
            vars,
            model: ByteModel::new(&shared)?,
            texts,
            heldout,
        })
    }

    pub(crate) fn run(mut self, out: &Path) -> Result<()> {
        let params = ParamsAdamW { lr: 0.0, beta2: 0.99, weight_decay: 0.02, ..Default::default() };
        let mut optimizer = AdamW::new(self.vars.clone(), params)?;
        let started = Instant::now();
        let (mut step, mut loss_sum) = (0, 0.0);
        while let Some(rate) = self.schedule.rate(step) {
            optimizer.set_learning_rate(self.peak * rate);
            loss_sum += self.step(&mut optimizer)?;
            step += 1;
            if step % REPORT_INTERVAL_STEPS == 0 {
                let pace = (step * BATCH_WINDOWS * CONTEXT_BYTES) as f64 / started.elapsed().as_secs_f64();
                let mean = loss_sum / REPORT_INTERVAL_STEPS as f64 / std::f64::consts::LN_2;
                println!(
                    "step {step} rate {rate:.3} train {mean:.3} heldout {:.3} bits/byte, {pace:.0} bytes/s",
                    self.heldout_bits()?
                );
                loss_sum = 0.0;
            }
        }
        println!(
            "done: {step} steps, heldout {:.3}; repeat with {}",
            self.heldout_bits()?,
            self.schedule.steps()
        );
        self.save(out)
    }

    fn step(&mut self, optimizer: &mut AdamW) -> Result<f64> {
        let (input, target) = self.batch();
        let logits = self.model.forward(Pass { bytes: &input, batch: BATCH_WINDOWS })?;
        let target = Tensor::from_vec(target, input.len(), &Device::Cpu)?;
        let loss = candle_nn::loss::cross_entropy(&logits, &target)?;
        let mut grads = loss.backward()?;
        let mut square = 0.0;
        for var in &self.vars {
            if let Some(grad) = grads.get(var) {
                square += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
            }
        }
        let norm = square.sqrt();
        if norm > MAX_GRADIENT_NORM {
            for var in &self.vars {
                if let Some(grad) = grads.remove(var) {
                    grads.insert(var, (grad * (MAX_GRADIENT_NORM / norm))?);
                }
            }
        }
        optimizer.step(&grads)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// Windows of texts drawn evenly, so that a long text does not dominate a short one.
    fn batch(&mut self) -> (Vec<u8>, Vec<u32>) {
        let mut input = Vec::with_capacity(BATCH_WINDOWS * CONTEXT_BYTES);
        let mut target = Vec::with_capacity(BATCH_WINDOWS * CONTEXT_BYTES);
        for _ in 0..BATCH_WINDOWS {
            let text = &self.texts[self.rng.random_range(0..self.texts.len())];
            let at = self.rng.random_range(0..text.len() - CONTEXT_BYTES - 1);
            let window = &text[at..=at + CONTEXT_BYTES];
            let row = input.len();
            input.extend_from_slice(&window[..CONTEXT_BYTES]);
            if self.rng.random_ratio(1, FRESH_WINDOWS) {
                input[row] = DOCUMENT_START;
            }
            target.extend(window[1..].iter().map(|b| u32::from(*b)));
        }
        (input, target)
    }

    /// Bits per byte of a part of the held-out text; the `evaluate` example computes the exact figure.
    fn heldout_bits(&self) -> Result<f64> {
        let (mut nats, mut rows) = (0.0, 0);
        for text in &self.heldout {
            for window in text.chunks_exact(CONTEXT_BYTES + 1).step_by(4) {
                let pass = Pass { bytes: &window[..CONTEXT_BYTES], batch: 1 };
                let target = window[1..].iter().map(|b| u32::from(*b)).collect::<Vec<_>>();
                let target = Tensor::from_vec(target, CONTEXT_BYTES, &Device::Cpu)?;
                let loss = candle_nn::loss::cross_entropy(&self.model.forward(pass)?, &target)?;
                nats += f64::from(loss.to_scalar::<f32>()?);
                rows += 1;
            }
        }
        Ok(nats / f64::from(rows) / std::f64::consts::LN_2)
    }

    fn save(&self, out: &Path) -> Result<()> {
        let mut tensors = HashMap::new();
        for (name, var) in self.names.iter().zip(&self.vars) {
            tensors.insert(name.clone(), var.as_tensor().to_dtype(DType::F16)?);
        }
        Ok(candle_core::safetensors::save(&tensors, out)?)
    }
}

/// Normal values of deviation `1/sqrt(inputs)`, smaller where a block writes to the residual stream.
fn initial(rng: &mut ChaCha8Rng) -> Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    for (name, [rows, columns]) in parameter_shapes() {
        let deviation = match name.rsplit('.').next() {
            Some("embed" | "table") => 0.05,
            Some("o" | "down") => 0.4 / (rows as f64).sqrt(),
            _ => 1.0 / (rows as f64).sqrt(),
        };
        let values: Vec<f32> = (0..rows * columns).map(|_| (normal(rng) * deviation) as f32).collect();
        tensors.insert(name, Tensor::from_vec(values, (rows, columns), &Device::Cpu)?);
    }
    Ok(tensors)
}

/// One standard normal value (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
