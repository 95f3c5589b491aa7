"""Keys stay secret, labels stay within Annex E, the public names are all there."""

from __future__ import annotations

import ast
import pickle
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from pictures import PRODUCER, label

import aiglabel as agl


def test_key_files_round_trip_and_are_private(tmp_path):
    key, path = agl.Key.generate(), tmp_path / "my.key"
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = agl.Key.load(path)
    assert loaded.secret == key.secret
    assert loaded.name == "my"
    assert loaded.id == key.id
    with pytest.raises(agl.KeyMaterialError, match="never overwritten"):
        key.save(path)


def test_keys_show_nothing():
    key = agl.Key(b"s" * 32)
    assert "ssss" not in repr(key)
    assert len({agl.Key.generate().secret for _ in range(8)}) == 8
    assert key.derive("a") != key.derive("b")


def test_known_keys_stay_the_same():
    """Marks made today must be found for ever: these derivations are part of the wire format."""
    assert agl.Key.public().id == "c5b8156d"
    assert agl.Key.from_passphrase("correct horse battery").id == "7513a2c3"
    assert agl.Key(bytes(32)).derive("id").hex()[:8] == agl.Key(bytes(32)).id


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"aiglabel-key-1:####", b"aiglabel-key-1:QUJD", b"\xff" * 99]
)
def test_broken_key_files(content, tmp_path):
    path = tmp_path / "bad.key"
    path.write_bytes(content)
    with pytest.raises(agl.KeyMaterialError) as error:
        agl.Key.load(path)
    assert str(path) in str(error.value)


def test_key_errors():
    with pytest.raises(agl.KeyMaterialError):
        agl.Key.load("/no/such/key")
    with pytest.raises(agl.KeyMaterialError, match="12 characters"):
        agl.Key.from_passphrase("short")
    with pytest.raises(agl.KeyMaterialError):
        agl.Key(b"short")


@pytest.mark.parametrize("value", ["名", "a b", "a\\b", "\x7f", "\n"])
def test_annex_e_characters(value):
    with pytest.raises(agl.LabelError, match="Annex E"):
        label(content_id=value)
    label(content_id='quotes"are-legal')


def test_labels_need_their_provider():
    with pytest.raises(agl.LabelError, match="needs producer"):
        agl.Label.generated(producer="", content_id="p")
    with pytest.raises(agl.LabelError, match="needs propagate_id"):
        agl.Label.suspected(propagator=PRODUCER, propagate_id="")
    with pytest.raises(agl.LabelError, match="time zone"):
        agl.Label.generated(producer=PRODUCER, content_id="p", time=datetime(2026, 1, 1))


def test_payload_follows_producer_and_number_alone():
    assert label().payload == label(model="other").payload
    assert label().payload != label(content_id="p-2").payload
    assert label().payload.hex() == "934bc7eba0b29064"


def test_errors_name_file_reason_remedy_and_survive_pickling():
    error = agl.CorruptMedia("it is broken", path="a.jpg", remedy="Fetch it again")
    assert str(error) == "a.jpg: it is broken. Fetch it again"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (agl.CorruptMedia, str(error))


def test_public_names():
    for name in agl.__all__:
        assert getattr(agl, name) is not None
    assert dir(agl) == sorted(agl.__all__)
    assert sorted(agl._HOME_OF) == sorted(agl.__all__)
    with pytest.raises(AttributeError):
        agl.nothing  # noqa: B018
    # What type checkers see is what is there.
    tree = ast.parse(Path(agl.__file__).read_text(encoding="utf-8"))
    seen = {
        a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names
    }
    assert set(agl.__all__) <= seen


def test_functions_are_not_shadowed_by_modules():
    program = (
        "import aiglabel as agl; agl.Labeler; agl.Report;"
        "print(callable(agl.embed), callable(agl.verify), callable(agl.watermark))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True", "True"]
