"""Security data: Annex A.1 signatures travel in ReservedCode1 and say no more than they prove."""

from __future__ import annotations

import dataclasses
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from aiglabel.errors import LabelError, SigningError
from aiglabel.label import Label
from aiglabel.marks.aigc_json import decode, to_fields, to_json
from aiglabel.marks.aigc_security import message, security_data, verify

LABEL = Label.generated(producer="001191110102MACQD9K64010000", content_id="p-1")


def pem(key, password=None):
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@pytest.fixture(scope="module", params=["rsa", "p256"])
def signed(request):
    key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if request.param == "rsa"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return dataclasses.replace(LABEL, reserved1=security_data(LABEL, pem(key)))


def test_message_of_annex_a1():
    assert message("1", "p", "i") == b'"Label":"1","ContentProducer":"p","ProduceID":"i"'


def test_a_signed_label_obeys_annex_e_and_verifies(signed):
    text = to_json(signed)  # raises for a character outside Annex E
    assert verify(decode(text).fields).result == "verified"


@pytest.mark.parametrize("name", ["Label", "ContentProducer", "ProduceID"])
def test_a_changed_value_fails(signed, name):
    assert verify({**to_fields(signed), name: "2"}).result == "failed"


def test_what_is_not_signed_may_change(signed):
    assert verify({**to_fields(signed), "PropagateID": "other"}).result == "verified"


def without(signed, change):
    data = json.loads(signed.reserved1)
    change(data["SecurityData"])
    return {**to_fields(signed), "ReservedCode1": json.dumps(data)}


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["PubSD"].pop(1),  # no key
        lambda data: data["PubSD"].pop(0),  # no signature
        lambda data: data["PubSD"][0].update(AlgID="1.2.156.10197.1.501"),  # SM2
        lambda data: data["PubSD"][0]["TBSData"].update(Type="Bnd"),
        lambda data: data["PubSD"][0].update(TBSData=["Md"]),
        lambda data: data["PubSD"][1].update(KeyValue="00"),
        lambda data: data["PubSD"][1].update(KeyValue=7),
        lambda data: data.update(PubSD={}),
        lambda data: data.clear(),
    ],
)
def test_what_cannot_be_verified_is_unsupported(signed, change):
    assert verify(without(signed, change)).result == "unsupported"


def test_spellings_of_vendors_are_understood(signed):
    def respell(data):
        data["PubSD"][0]["TBSData"]["Type"] = "LabelMataData"
        data["PubSd"] = data.pop("PubSD")

    assert verify(without(signed, respell)).result == "verified"


@pytest.mark.parametrize("signature", ["", "zz", "00", None, "f" * 100_000])
def test_a_senseless_signature_fails(signed, signature):
    fields = without(signed, lambda data: data["PubSD"][0].update(Signature=signature))
    assert verify(fields).result == "failed"


def test_absent_and_opaque_codes():
    assert verify({"ReservedCode1": ""}).result == "absent"
    sha1 = "e862483430d978cbf828b8b24296ef9328d843a0"  # GB 45438-2025 F.4
    assert verify({"ReservedCode1": sha1}).result == "unsupported"


def test_a_quote_makes_the_message_ambiguous(signed):
    quoted = Label.generated(producer='p","x":"', content_id="1")
    with pytest.raises(LabelError, match="quote"):
        security_data(quoted, b"")
    fields = {**to_fields(signed), "ProduceID": 'p-1"'}
    assert verify(fields).result == "unsupported"


@pytest.mark.parametrize(
    "key",
    [
        b"no key",
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ec.generate_private_key(ec.SECP256R1()), b"secret"),
    ],
)
def test_other_keys_are_refused(key):
    with pytest.raises(SigningError):
        security_data(LABEL, key)


@given(st.text() | st.recursive(
    st.none() | st.text(max_size=8) | st.just("DS"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["SecurityData", "PubSD", "Type", "TBSData", "AlgID", "KeyValue"]), inner
    ), max_leaves=10,
).map(json.dumps))  # fmt: skip
def test_verify_never_raises(text):
    verify({"ReservedCode1": text})
