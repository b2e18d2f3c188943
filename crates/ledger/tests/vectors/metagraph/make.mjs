// Makes openzeppelin.json: npm install @openzeppelin/merkle-tree && node make.mjs > openzeppelin.json
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const types = [
  "uint16", "uint64", "uint16", "bytes32", "bytes32", "uint64", "uint64", "uint64", "bool",
  "uint16", "uint16", "uint16", "uint16", "uint64",
];
const bytes32 = (byte) => "0x" + (byte & 255).toString(16).padStart(2, "0").repeat(32);
const row = (uid) => [
  7, 3, uid, bytes32(uid), bytes32(100 + uid), 1_000_000_007n * BigInt(uid + 1), 10 + uid, 20 + uid,
  uid % 2 === 0, 1_000 + uid, 2_000 + uid, 3_000 + uid, 4_000 + uid, 5_000_000_000n + BigInt(uid),
];
const cases = [[1, 0], [2, 1], [3, 0], [13, 5], [64, 63], [100, 17]].map(([rows, uid]) => {
  const values = Array.from({ length: rows }, (_, uid) => row(uid));
  const tree = StandardMerkleTree.of(values, types);
  return { rows, uid, root: tree.root, proof: tree.getProof(uid) };
});
console.log(JSON.stringify(cases, null, 1));
