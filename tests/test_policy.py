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


def test_films_say_when_they_show_the_label(tmp_path):
    file = tmp_path / "film.toml"
    file.write_text('extends = "cn"\n[film]\nend = true\nat = [[10, 15.5]]\nspeak = true\n')
    film = agl.Policy.load(file).film
    assert (film.seconds, film.end, film.at, film.speak) == (3.0, True, ((10.0, 15.5),), True)
    assert [film.shows(time, 60.0) for time in (0, 2.9, 3.0, 12, 56.9, 57)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip
    again = agl.Policy.from_dict({"film": agl.Policy.load(file).to_dict()["film"]})
    assert again.film == film
    # A film does not know where it will be interrupted.
    assert [agl.Policy.preset(name).film.whole for name in ("cn", "eu", "global")] == [
        False, True, True,
    ]  # fmt: skip


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
        ("[film]\nsecond = 3", "Did you mean 'film.seconds'"),
        ("[film]\nseconds = 1.5", "2 seconds at least"),
        ("[film]\nwhole = 1", "film.whole cannot be 1"),
        ("[film]\nat = [10, 15]", "An example: [[10, 15]]"),
        ("[film]\nat = [[10, '15']]", "film.at cannot be"),
        ("[film]\nat = [[15, 10]]", "to a later one"),
        ("[film]\nat = [[10]]", "to a later one"),
        ("[film]\nat = '10'", "film.at cannot be"),
        ("rules = ['CN-Z-01']", "rule 'CN-Z-01'"),
        ("rules = 'CN-X-01'", "rules cannot be"),
        ("[thresholds]\ncontrast = true", "thresholds cannot be"),
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
