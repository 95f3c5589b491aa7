"""Policies: presets, files, strictness."""

from __future__ import annotations

import pytest

import aiglabel as agl
from aiglabel.policy import preset_names


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_are_what_they_say(name):
    policy = agl.Policy.preset(name)
    assert policy.name == name
    assert policy.description
    assert policy.rules
    assert (
        agl.Policy.from_dict(
            {
                **policy.to_dict(),
                "rules": list(policy.rules),
                "overlay": _plain(policy, "overlay"),
                "audible": _plain(policy, "audible"),
            }
        )
        == policy
    )


def _plain(policy, table):
    values = policy.to_dict()[table]
    return {name: value for name, value in values.items() if value is not None}


def test_a_file_extends_a_preset(tmp_path):
    (tmp_path / "base.toml").write_text('extends = "cn"\n[overlay]\ntext = "AI合成"\n', "utf-8")
    file = tmp_path / "house.toml"
    file.write_text(
        'extends = "base.toml"\nname = "house"\n[watermark]\nstrength = "robust"\n'
        '[label]\nproducer = "not a matter of policy"\n'
    )
    policy = agl.Policy.load(file)
    assert (policy.name, policy.overlay.text) == ("house", "AI合成")
    assert policy.watermark.strength == "robust"
    assert policy.rules == agl.Policy.preset("cn").rules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[overlay]\ntxt = 'a'", "Did you mean 'overlay.text'"),
        ("[overlays]\ntext = 'a'", "Did you mean 'overlay'"),
        ("overlay = 1", "is a table"),
        ("[overlay]\nenabled = 'yes'", "cannot be 'yes'"),
        ("[overlay]\nheight_ratio = 2.0", "lies between"),
        ("[overlay]\nposition = 'middle'", "position is one of"),
        ("[watermark]\nstrength = 'strongest'", "watermark.strength"),
        ("rules = ['CN-Z-01']", "rule 'CN-Z-01'"),
        ("regime = 'cn'\n[aigc]\nenabled = false", "Art. 5 has no exception"),
        ("extends = 'chn'", "Did you mean 'cn'"),
        ("extends = 'self.toml'", "circle"),
        ("a = [", "not TOML"),
    ],
)
def test_mistakes_are_named(text, message, tmp_path):
    file = tmp_path / "self.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(agl.PolicyError) as error:
        agl.Policy.load(file)
    assert message in str(error.value)


def test_absent_files_and_presets():
    with pytest.raises(agl.PolicyError, match="cannot be read"):
        agl.Policy.load("/no/such/file.toml")
    with pytest.raises(agl.PolicyError, match="preset"):
        agl.Policy.preset("mars")
