// Compiles CheckpointAnchor.sol into CheckpointAnchor.json; with --check, compares instead of writing; with
// --bytecode, prints the bytecode of the source that comes in: tests have broken variants.
// The bytecode has no metadata hash in it, so the same source and compiler give the same bytes anywhere.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

// CONTRACTS_MODULES names a package.json beside whose node_modules the compiler is, for a checkout that is not to be written to.
const solc = createRequire(process.env.CONTRACTS_MODULES ?? import.meta.url)("solc");
const here = (name) => new URL(name, import.meta.url);
const NAME = "CheckpointAnchor";

const settings = {
  evmVersion: "shanghai",
  optimizer: { enabled: true, runs: 10_000 },
  viaIR: true,
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: {
    "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"] },
  },
};
const broken = process.argv.includes("--bytecode");
const source = readFileSync(broken ? process.stdin.fd : here(`${NAME}.sol`), "utf8");
const input = { language: "Solidity", sources: { [`${NAME}.sol`]: { content: source } }, settings };
const output = JSON.parse(solc.compile(JSON.stringify(input)));
// A variant may leave something unused.
if (output.errors?.some((error) => !broken || error.severity === "error")) {
  console.error(output.errors.map((error) => error.formattedMessage).join("\n"));
  process.exit(1);
}

const { abi, evm } = output.contracts[`${NAME}.sol`][NAME];
const artefact = {
  contract: NAME,
  compiler: solc.version(),
  settings: { evmVersion: settings.evmVersion, optimizer: settings.optimizer, viaIR: settings.viaIR },
  abi,
  bytecode: `0x${evm.bytecode.object}`,
  deployedBytecode: `0x${evm.deployedBytecode.object}`,
  // Where the constructor writes the mesh id into the deployed code, in bytes.
  immutables: Object.values(evm.deployedBytecode.immutableReferences).flat(),
};
const text = `${JSON.stringify(artefact, null, 1)}\n`;
if (broken) {
  console.log(artefact.bytecode);
} else if (process.argv.includes("--check")) {
  if (readFileSync(here(`${NAME}.json`), "utf8") !== text) {
    console.error(`${NAME}.json is not what ${NAME}.sol compiles to: npm run build`);
    process.exit(1);
  }
  console.log(`${NAME}.json is what ${NAME}.sol compiles to with ${solc.version()}`);
} else {
  writeFileSync(here(`${NAME}.json`), text);
  console.log(`${NAME}.json: ${evm.deployedBytecode.object.length / 2} bytes deployed, solc ${solc.version()}`);
}
