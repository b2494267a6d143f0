"""Malicious model files: refused, for the reason they should be, without a trace."""

import json

import pytest

from attacks.model_files import malicious, watch_loading
from attacks.model_fuzz import CORPUS, feed
from attacks.model_refusals import KINDS, STORED, refusals

MOST_MEMORY_BYTES = 512 << 20
MOST_SECONDS = 5.0
STRIDE = 7  # one of so many files is opened in a process of its own here, all in the suite


@pytest.mark.attack
@pytest.mark.parametrize("kind", KINDS)
def test_each_attack_is_stopped_by_the_check_that_is_meant_to(kind):
    assert refusals(kind) == json.loads(STORED.read_text(encoding="utf-8"))[kind]


@pytest.mark.attack
def test_there_are_many_attacks():
    assert sum(1 for _ in malicious(with_large=False)) > 400


@pytest.mark.attack
def test_malicious_files_run_nothing_and_open_nothing(tmp_path):
    attacks = list(malicious(with_large=False))[::STRIDE]
    paths = [tmp_path / f"{idx}.assay" for idx in range(len(attacks))]
    for path, attack in zip(paths, attacks, strict=True):
        path.write_bytes(attack.data)
    for attack, told in zip(attacks, watch_loading(paths), strict=True):
        accepted = ["accepted"] if attack.is_harmless else []
        assert told["outcome"] in ["refused", *accepted], (attack.name, told)
        assert told["events"] == [], (attack.name, told)
        assert "\n" not in told["message"]
        assert told["seconds"] < MOST_SECONDS, attack.name
        assert told["rss_bytes"] < MOST_MEMORY_BYTES, attack.name


@pytest.mark.attack
def test_what_led_the_fuzzer_to_new_code_is_refused_or_opened():
    inputs = sorted(CORPUS.iterdir())
    assert inputs
    for path in inputs:
        feed(path.read_bytes())
