"""Transformers on embedded inputs: small ones, ViT-Ti (Touvron 2021), a BERT-base layer (Devlin 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention with one query-key-value projection; a causal one sees no later tokens."""

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, width]`` to the same."""
        n, t, width = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        y: Tensor = self.out(mixed.transpose(1, 2).reshape(n, t, width))
        return y


class Block(nn.Module):
    """Attention and a two-layer perceptron, each with a shortcut; normalised before (ViT) or after (BERT)."""

    def __init__(self, width: int, heads: int, hidden: int, norm_first: bool, epsilon: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm2 = nn.LayerNorm(width, epsilon)
        self.norm_first = norm_first

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, width]`` to the same."""
        if self.norm_first:
            x = x + self.attention(self.norm1(x))
            x = x + self.mlp(self.norm2(x))
        else:
            x = self.norm1(x + self.attention(x))
            x = self.norm2(x + self.mlp(x))
        return x


class Encoder(nn.Module):
    """Pre-norm blocks, a norm, the mean over tokens, a classifier."""

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 2, classes: int = 10) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(width, heads, 4 * width, True, 1e-6) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Embedded tokens ``[N, T, width]`` to logits."""
        logits: Tensor = self.fc(self.norm(self.blocks(x)).mean(1))
        return logits


class GatedBlock(nn.Module):
    """A decoder's block: causal attention, then a product of two branches, one of them bent (Shazeer 2020)."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.gate, self.up = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, T, width]`` to the same."""
        x = x + self.attention(self.norm1(x))
        y = self.norm2(x)
        out: Tensor = x + self.down(functional.silu(self.gate(y)) * self.up(y))
        return out


class Decoder(nn.Module):
    """Gated blocks, a norm, scores of the next token at every place."""

    def __init__(self, width: int = 72, heads: int = 3, depth: int = 2, vocabulary: int = 100) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(GatedBlock(width, heads, 2 * width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        """Embedded tokens ``[N, T, width]`` to ``[N, T, vocabulary]``."""
        scores: Tensor = self.fc(self.norm(self.blocks(x)))
        return scores


class ViT(nn.Module):
    """Patches, a class token, position embeddings, pre-norm blocks, classifier on the class token."""

    def __init__(self, width: int, heads: int, depth: int, image: int = 224, patch: int = 16) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.5)
        self.position = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width) * 0.5)
        self.blocks = nn.Sequential(*(Block(width, heads, 4 * width, True, 1e-6) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.fc = nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Images to logits ``[N, 1000]``."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        logits: Tensor = self.fc(self.norm(self.blocks(x))[:, 0])
        return logits


def encoder() -> Encoder:
    """Two blocks of width 64, 4 heads."""
    return Encoder()


def decoder() -> Decoder:
    """Two gated blocks of width 72; 3 heads of 24, which fill no whole words of 16 channels."""
    return Decoder()


def vit_tiny() -> ViT:
    """ViT-Ti/16: 5,717,416 parameters, 1.25 GMAC at 224 x 224."""
    return ViT(192, 3, 12)


def bert_base_block() -> Block:
    """One layer of BERT-base: 7,087,872 parameters."""
    return Block(768, 12, 3072, False, 1e-12)
