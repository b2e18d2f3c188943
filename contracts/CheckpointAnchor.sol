// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The finalised checkpoints of one Nervure mesh.
///
/// A checkpoint is stored if validators with more than two thirds of the known power signed it. The
/// contract knows them by the hash of their set: the constructor names the first set, and each checkpoint
/// names its successor. Any account may submit. The contract has no owner, cannot be paused, upgraded or
/// paid, and checks every number that it relies on.
///
/// What a hostile submitter can do: pay for a transaction that reverts. What it cannot do: store anything
/// that the quorum did not sign for this mesh, this chain and this contract; hold back a checkpoint that
/// another account submits.
///
/// Not protected against: a quorum of a former set whose successor is not stored here yet. Validators
/// have to be bound (by their stake) for longer than the time between two checkpoints.
contract CheckpointAnchor {
    /// A member of a validator set: the address of its anchor key and its voting power.
    struct Validator {
        address account;
        uint64 power;
    }

    /// A signature in the compact form of EIP-2098: the highest bit of `vs` is the parity, the rest is s.
    struct Signature {
        bytes32 r;
        bytes32 vs;
    }

    /// The root of the metagraph that an epoch left in a subnet.
    struct Metagraph {
        uint16 netuid;
        uint64 epoch;
        bytes32 root;
    }

    /// A checkpoint: the statement that the validators sign.
    struct Checkpoint {
        uint64 height;
        bytes32 blockHash;
        bytes32 stateRoot;
        Metagraph[] metagraphs;
        bytes32 nextValidators;
    }

    /// A row of a metagraph. The order and the types of the fields are the encoding of its leaf.
    struct Neuron {
        uint16 netuid;
        uint64 epoch;
        uint16 uid;
        bytes32 node;
        bytes32 owner;
        uint64 stake;
        uint64 registered;
        uint64 lastUpdate;
        bool permit;
        uint16 consensus;
        uint16 incentive;
        uint16 dividends;
        uint16 validatorTrust;
        uint64 emission;
    }

    /// The stored part of a checkpoint: the hash of the signed statement, and the root of the mesh's state.
    struct Anchored {
        bytes32 id;
        bytes32 stateRoot;
    }

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME = keccak256("Nervure CheckpointAnchor");
    bytes32 private constant VERSION = keccak256("1");
    bytes32 private constant METAGRAPH_TYPE = keccak256("Metagraph(uint16 netuid,uint64 epoch,bytes32 root)");
    bytes32 private constant CHECKPOINT_TYPE = keccak256(
        "Checkpoint(bytes32 mesh,uint64 height,bytes32 blockHash,bytes32 stateRoot,Metagraph[] metagraphs,bytes32 nextValidators)Metagraph(uint16 netuid,uint64 epoch,bytes32 root)"
    );
    bytes32 private constant ATTESTATION_TYPE = keccak256(
        "Attestation(Checkpoint checkpoint,bytes32 validators)Checkpoint(bytes32 mesh,uint64 height,bytes32 blockHash,bytes32 stateRoot,Metagraph[] metagraphs,bytes32 nextValidators)Metagraph(uint16 netuid,uint64 epoch,bytes32 root)"
    );

    /// Half of the order of secp256k1. Of the two valid s, only the lower is accepted (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    bytes32 private constant S_MASK = bytes32(type(uint256).max >> 1);

    /// The maximum size of a validator set, as in the mesh. It bounds the gas of a submission.
    uint256 public constant MAX_VALIDATORS = 64;

    /// The mesh whose checkpoints these are.
    bytes32 public immutable mesh;

    /// The hash of the set that signs the next checkpoint; see `hashValidators`.
    bytes32 public validatorsHash;

    /// The height of the last checkpoint; before the first, the height that the first has to exceed.
    uint64 public latestHeight;

    /// The stored part of the checkpoint of a height; zero if there is none.
    mapping(uint64 height => Anchored) public checkpoints;

    /// The metagraph root of a subnet's epoch; zero if there is none.
    mapping(uint16 netuid => mapping(uint64 epoch => bytes32)) public metagraphRoot;

    event CheckpointAnchored(
        uint64 indexed height,
        bytes32 indexed id,
        bytes32 blockHash,
        bytes32 stateRoot,
        bytes32 validators,
        bytes32 nextValidators
    );
    event MetagraphAnchored(uint16 indexed netuid, uint64 indexed epoch, bytes32 root, uint64 height);

    /// A mesh id, first set or successor set of zeros: no key could sign for it.
    error Zero();
    /// Another checkpoint is stored for this height.
    error Conflict(uint64 height, bytes32 stored, bytes32 submitted);
    /// Not above the last checkpoint.
    error Stale(uint64 height, uint64 latest);
    /// The submitted set is not the one that signs the next checkpoint.
    error OtherValidators(bytes32 expected, bytes32 submitted);
    /// More validators than `MAX_VALIDATORS`.
    error TooManyValidators(uint256 count);
    /// Validators not in ascending order of their addresses, or one twice.
    error UnsortedValidators(uint256 index);
    /// A signature that is invalid, or not in the accepted form.
    error BadSignature(uint256 index);
    /// A signer who is not a validator, signed twice, or is out of order.
    error UnexpectedSigner(uint256 index, address signer);
    /// The signers have no more than two thirds of the power.
    error TooLittlePower(uint256 signed, uint256 total);
    /// Metagraphs not in ascending order of their subnets, or one twice.
    error UnsortedMetagraphs(uint256 index);
    /// Another root is stored for this epoch of this subnet.
    error ConflictingMetagraph(uint16 netuid, uint64 epoch);

    /// @param meshId The id of the mesh.
    /// @param height The height that the first checkpoint has to exceed.
    /// @param validators The hash of the set that signs the first checkpoint.
    constructor(bytes32 meshId, uint64 height, bytes32 validators) {
        if (meshId == 0 || validators == 0) revert Zero();
        mesh = meshId;
        latestHeight = height;
        validatorsHash = validators;
    }

    /// Stores a checkpoint.
    /// @param validators The set whose hash is `validatorsHash`, sorted by address.
    /// @param signatures Over `digest(checkpoint, validatorsHash)`, sorted by the addresses of the signers.
    /// @return stored True if this call stored it; false if the same checkpoint was stored before.
    function submit(
        Checkpoint calldata checkpoint,
        Validator[] calldata validators,
        Signature[] calldata signatures
    ) external returns (bool stored) {
        bytes32 id = checkpointId(checkpoint);
        uint64 height = checkpoint.height;
        bytes32 known = checkpoints[height].id;
        if (known == id) return false;
        if (known != 0) revert Conflict(height, known, id);
        if (height <= latestHeight) revert Stale(height, latestHeight);
        if (checkpoint.nextValidators == 0) revert Zero();

        bytes32 expected = validatorsHash;
        bytes32 submitted = hashValidators(validators);
        if (submitted != expected) revert OtherValidators(expected, submitted);
        _requireQuorum(_digest(id, expected), validators, signatures);

        checkpoints[height] = Anchored(id, checkpoint.stateRoot);
        latestHeight = height;
        if (checkpoint.nextValidators != expected) validatorsHash = checkpoint.nextValidators;
        _store(checkpoint.metagraphs, height);
        emit CheckpointAnchored(
            height, id, checkpoint.blockHash, checkpoint.stateRoot, expected, checkpoint.nextValidators
        );
        return true;
    }

    /// Whether the anchored metagraph of `row.netuid` for `epoch` has this row.
    /// @param proof The siblings from the row's leaf up.
    function verifyNeuron(uint64 epoch, Neuron calldata row, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        bytes32 root = metagraphRoot[row.netuid][epoch];
        if (root == 0 || row.epoch != epoch) return false;
        // Hashed twice, so that no inner node of the tree can pass as a row.
        bytes32 node = keccak256(bytes.concat(keccak256(abi.encode(row))));
        for (uint256 i = 0; i < proof.length; ++i) {
            bytes32 sibling = proof[i];
            node = node < sibling
                ? keccak256(abi.encode(node, sibling))
                : keccak256(abi.encode(sibling, node));
        }
        return node == root;
    }

    /// The id of a checkpoint: its EIP-712 hash.
    function checkpointId(Checkpoint calldata checkpoint) public view returns (bytes32) {
        Metagraph[] calldata metagraphs = checkpoint.metagraphs;
        bytes32[] memory hashes = new bytes32[](metagraphs.length);
        for (uint256 i = 0; i < metagraphs.length; ++i) {
            Metagraph calldata one = metagraphs[i];
            hashes[i] = keccak256(abi.encode(METAGRAPH_TYPE, one.netuid, one.epoch, one.root));
        }
        return keccak256(
            abi.encode(
                CHECKPOINT_TYPE,
                mesh,
                checkpoint.height,
                checkpoint.blockHash,
                checkpoint.stateRoot,
                keccak256(abi.encodePacked(hashes)),
                checkpoint.nextValidators
            )
        );
    }

    /// The digest that a member of the set with the hash `validators` signs.
    function digest(Checkpoint calldata checkpoint, bytes32 validators) external view returns (bytes32) {
        return _digest(checkpointId(checkpoint), validators);
    }

    /// The hash of a validator set.
    function hashValidators(Validator[] calldata validators) public pure returns (bytes32) {
        if (validators.length > MAX_VALIDATORS) revert TooManyValidators(validators.length);
        return keccak256(abi.encode(validators));
    }

    function _digest(bytes32 id, bytes32 validators) private view returns (bytes32) {
        // Computed at each call: after a fork of the chain, both sides have this contract.
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPE, NAME, VERSION, block.chainid, address(this)));
        bytes32 attestation = keccak256(abi.encode(ATTESTATION_TYPE, id, validators));
        return keccak256(abi.encodePacked(bytes2(0x1901), domain, attestation));
    }

    /// Walks through the set and the signatures together: both ascend, so no signer is counted twice.
    function _requireQuorum(
        bytes32 message,
        Validator[] calldata validators,
        Signature[] calldata signatures
    ) private pure {
        uint256 signed = 0;
        uint256 total = 0;
        uint256 next = 0;
        address wanted = next < signatures.length ? _signer(message, signatures, next) : address(0);
        address last = address(0);
        for (uint256 i = 0; i < validators.length; ++i) {
            address account = validators[i].account;
            // The first may not be the zero address either: `ecrecover` returns it for an invalid signature.
            if (account <= last) revert UnsortedValidators(i);
            last = account;
            uint256 power = validators[i].power;
            total += power;
            if (account == wanted) {
                signed += power;
                ++next;
                wanted = next < signatures.length ? _signer(message, signatures, next) : address(0);
            }
        }
        if (next < signatures.length) revert UnexpectedSigner(next, wanted);
        if (signed * 3 <= total * 2) revert TooLittlePower(signed, total);
    }

    function _signer(bytes32 message, Signature[] calldata signatures, uint256 index)
        private
        pure
        returns (address signer)
    {
        bytes32 vs = signatures[index].vs;
        bytes32 s = vs & S_MASK;
        if (uint256(s) > HALF_ORDER) revert BadSignature(index);
        signer = ecrecover(message, uint8(uint256(vs) >> 255) + 27, signatures[index].r, s);
        if (signer == address(0)) revert BadSignature(index);
    }

    function _store(Metagraph[] calldata metagraphs, uint64 height) private {
        for (uint256 i = 0; i < metagraphs.length; ++i) {
            (uint16 netuid, uint64 epoch, bytes32 root) =
                (metagraphs[i].netuid, metagraphs[i].epoch, metagraphs[i].root);
            if (i > 0 && netuid <= metagraphs[i - 1].netuid) revert UnsortedMetagraphs(i);
            bytes32 known = metagraphRoot[netuid][epoch];
            if (known == root) continue;
            if (known != 0) revert ConflictingMetagraph(netuid, epoch);
            metagraphRoot[netuid][epoch] = root;
            emit MetagraphAnchored(netuid, epoch, root, height);
        }
    }
}
