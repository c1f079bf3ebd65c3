"""Workers' words reach the process that shows them."""

import time

from zotheory.relay import Relay, say


def test_the_newest_words_are_told(tmp_path):
    said, told = tmp_path / "said", []
    said.write_text("of an earlier run\n")
    with Relay(said, told.append):
        for words in ("batch 1 of 2", "batch 2 of 2"):
            say(said, words)
        deadline = time.monotonic() + 10
        while "batch 2 of 2" not in told and time.monotonic() < deadline:
            time.sleep(0.01)
    assert told[-1] == "batch 2 of 2"
    assert "of an earlier run" not in told


def test_silence_is_not_told(tmp_path):
    told = []
    with Relay(tmp_path / "said", told.append):
        time.sleep(0.7)
    assert told == []
