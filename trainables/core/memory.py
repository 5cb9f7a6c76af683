"""How much memory a configuration takes, before it is trained; imports no torch.

Invariant: no configuration of a space may take the machine down. Activations are bounded by the
tokens of one micro-batch; what remains is the weights, their gradients and the optimiser.
"""

from trainables.core.hyperparameters import Hyperparameters

_FLOAT_BYTES = 4
#: What the head's hidden layer keeps of each of its units: before and after ReLU and dropout.
_HEAD = 3
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}

#: Bytes a forward pass on a CPU may keep for the backward pass, by the count below. What is really
#: taken, with gradients and the fragments that the allocator keeps, was 0.7 to 1.4 times that by
#: our own recurrence, and 0.8 to 2.6 times by torch's layers (5 times 44 MB with 16 units).
ACTIVATION_BYTES = 256 << 20
_TAKEN_PER_COUNTED = 3.0

#: What a token counts at least: 65,536 of a small model's on a CPU. On one core the lecture's model
#: trains on 379, 389 and 425 thousand tokens a second with 16,384, 32,768 and 65,536, at 341, 373
#: and 441 MB.
LEAST_BYTES_PER_TOKEN = ACTIVATION_BYTES // 65_536

#: A worker that has imported torch and Ray and done nothing.
BARE_WORKER_BYTES = 420 << 20


def activation_bytes_per_token(hyperparameters: Hyperparameters) -> int:
    """What one token leaves behind for the backward pass: embedding, and gates, states and
    outputs of every layer and direction; and the head, as if each text had one token only."""
    h = hyperparameters
    per_unit = _GATES[h.cell] + 6
    directions = 2 if h.bidirectional else 1
    units = h.num_layers * directions * h.hidden_size
    copies = 1 + 4 * (h.input_dropout > 0)  # the words' own rows are few; dropped ones are not
    per_unit += 2 * h.layer_norm + 2 * (h.pooling in ("max", "concat"))
    return _FLOAT_BYTES * (copies * h.embedding_dim + units * per_unit + _HEAD * h.head_hidden)


def micro_batch_tokens(
    hyperparameters: Hyperparameters, activation_bytes: int = ACTIVATION_BYTES
) -> int:
    """Padded tokens of one forward pass that may keep so many bytes: at least one."""
    per_token = max(LEAST_BYTES_PER_TOKEN, activation_bytes_per_token(hyperparameters))
    return max(1, activation_bytes // per_token)


def parameter_count(hyperparameters: Hyperparameters, vocabulary: int, classes: int) -> int:
    """Trainable numbers of the whole model."""
    h = hyperparameters
    directions = 2 if h.bidirectional else 1
    width, gates, count = h.embedding_dim, _GATES[h.cell], vocabulary * h.embedding_dim
    for _ in range(h.num_layers):
        count += directions * gates * h.hidden_size * (width + h.hidden_size + 2)
        width = directions * h.hidden_size
    count += width + 1 if h.pooling == "attention" else 0
    count += 2 * width * h.num_layers if h.layer_norm else 0
    pooled = width * (3 if h.pooling == "concat" else 1)
    if h.head_hidden:
        return count + (pooled + 1) * h.head_hidden + (h.head_hidden + 1) * classes
    return count + (pooled + 1) * classes


def estimate_bytes(
    hyperparameters: Hyperparameters, vocabulary: int, classes: int, max_tokens: int
) -> int:
    """Resident memory of the process that trains this configuration, at its peak.

    Weights count nine times: themselves, gradients, two moments, and, while a checkpoint is
    written, copies of all but the gradients on their way to the file; averaged, thrice more.
    """
    copies = 9 if hyperparameters.ema_decay == 0 else 12
    weights = copies * _FLOAT_BYTES * parameter_count(hyperparameters, vocabulary, classes)
    tokens = max(max_tokens, micro_batch_tokens(hyperparameters))
    activations = _TAKEN_PER_COUNTED * tokens * activation_bytes_per_token(hyperparameters)
    return BARE_WORKER_BYTES + weights + int(activations)
