// Verifies the fixture with the module, and refuses it with one byte flipped. Usage: node verify.mjs MODULE FIXTURES
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [modulePath, fixtures] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), {});
const api = instance.exports;

function verify(inputs) {
    inputs.forEach((bytes, number) => {
        const at = api.nervure_input(number, bytes.length);
        new Uint8Array(api.memory.buffer, at, bytes.length).set(bytes);
    });
    const verified = api.nervure_verify() === 1;
    const text = new Uint8Array(api.memory.buffer, api.nervure_output(), api.nervure_output_len());
    return { verified, text: new TextDecoder().decode(text) };
}

function flipped(bytes) {
    const changed = Uint8Array.from(bytes);
    changed[Math.floor(changed.length / 2)] ^= 1;
    return changed;
}

const read = name => readFileSync(join(fixtures, name));
const [spec, checkpoint, fact] = ['mesh.toml', 'checkpoint.cbor', 'fact.cbor'].map(read);
const [key, now] = ['subnet/1', String(Date.now())].map(text => new TextEncoder().encode(text));
console.log(JSON.stringify({
    real: verify([spec, checkpoint, key, fact, now]),
    checkpoint: verify([spec, flipped(checkpoint), key, fact, now]),
    fact: verify([spec, checkpoint, key, flipped(fact), now]),
}));
