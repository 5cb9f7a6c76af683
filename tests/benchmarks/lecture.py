"""What one would do without seqtune: the lecture's model and loop, as they stand in it.

Texts are padded in front to 500 tokens, everything is float32 and of one length, the optimiser is
plain Adam, and the memory allocator is left as it is.

Shapes: B texts, T tokens, N texts of a part.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from trainables.data.part import Part
from trainables.data.text.tokens import PAD

TOKENS = 500


class LSTMModel(nn.Module):
    """Embedding, LSTM, last state, dropout, one logit."""

    def __init__(
        self, vocabulary: int, embedding_dim: int, hidden_size: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        between = dropout if layers > 1 else 0.0
        self.embedding = nn.Embedding(vocabulary, embedding_dim, padding_idx=PAD)
        self.lstm = nn.LSTM(
            embedding_dim, hidden_size, num_layers=layers, batch_first=True, dropout=between
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(hidden_size, 1)

    def forward(self, ids_BT: Tensor) -> Tensor:
        _, (hidden_LBH, _) = self.lstm(self.embedding(ids_BT))
        logits_B: Tensor = self.fc(self.dropout(hidden_LBH[-1]))[:, 0]
        return logits_B


def padded(part: Part, rows: int | None = None) -> TensorDataset:
    """The first texts of a part, each 500 tokens long: its last ones, or padding before it."""
    count = len(part) if rows is None else min(rows, len(part))
    ids_NT = np.full((count, TOKENS), PAD, dtype=np.int64)
    for row in range(count):
        start, end = part.offsets[row], part.offsets[row + 1]
        kept = part.ids[max(start, end - TOKENS) : end]
        ids_NT[row, TOKENS - len(kept) :] = kept
    labels_N = torch.from_numpy(part.labels[:count].astype(np.float32))
    return TensorDataset(torch.from_numpy(ids_NT), labels_N)


def train_epoch(
    model: LSTMModel, loader: DataLoader, optimizer: torch.optim.Optimizer, device: str = "cpu"
) -> Iterator[float]:
    """One pass; gives the seconds since its start after each batch."""
    loss_of, started = nn.BCEWithLogitsLoss(), time.perf_counter()
    model.train()
    for ids_BT, labels_B in loader:
        optimizer.zero_grad()
        loss = loss_of(model(ids_BT.to(device)), labels_B.to(device))
        loss.backward()
        optimizer.step()
        loss.item()
        yield time.perf_counter() - started


@torch.no_grad()
def accuracy(model: LSTMModel, loader: DataLoader, device: str = "cpu") -> float:
    """The share of texts on the right side of zero."""
    model.eval()
    right = [((model(i.to(device)) > 0).cpu() == (y > 0.5)).float() for i, y in loader]
    return float(torch.cat(right).mean())
