"""Reading C2PA manifests: what they say, whether it holds, and who says it.

Four questions are kept apart and never become one boolean: integrity (do the bytes match the
hashes), signature (was the claim signed with the certificate's key), trust (whose list is the
certificate on), freshness (valid by the clock, or by a trusted timestamp). What the manifests
declare about AI is a fifth, and is reported even when the others fail.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

from aiglabel.containers import has_c2pa
from aiglabel.containers.pieces import opened
from aiglabel.containers.sniff import HEAD_BYTES, sniff_media
from aiglabel.containers.tags import read_at
from aiglabel.errors import MediaError, UnsupportedFormat
from aiglabel.evidence import Evidence, Status
from aiglabel.marks.credentials import stored
from aiglabel.marks.credentials.problems import plain, plain_code
from aiglabel.marks.credentials.stored import MAX_ENTRIES, MAX_TEXT, Json
from aiglabel.marks.credentials.trust import Grade, TrustProfile, context
from aiglabel.marks.source_types import Meaning, source_type

MARK = "credentials"
UNKNOWN = "application/octet-stream"
"""Media type of a file of which no part is told from another."""

_HOLDING = ("Trusted", "Valid")
_MOST_RIFF = 1 << 30  # bytes; the SDK holds twice as much in memory
_CONTENT_MATCH = re.compile(r"assertion\.(data|bmff|boxes|collection)Hash\.match$")
_TEST_SIGNERS = {"C2PA Test Signing Cert"}  # the SDK publishes these certificates with their keys
# Bing Image Creator states it in words only.
_FREE_TEXT = re.compile(r"\bAI[ -]generated\b|\bgenerated (?:by|with) AI\b", re.IGNORECASE)


def read(
    data: bytes | BinaryIO,
    mime: str | None,
    *,
    trust: TrustProfile,
    sidecar: bytes | None = None,
) -> Evidence:
    """Look for a C2PA manifest, offline.

    Parameters
    ----------
    data : bytes or open binary file
        A whole file of any kind the SDK knows, which is read in pieces; hostile bytes are fine.
    mime : str or None
        Its media type as far as known; the SDK goes by the bytes where they tell (`mime_of`).
    trust : TrustProfile
    sidecar : bytes, optional
        A detached manifest store (``.c2pa``). It goes before an embedded one unless it does not
        hold, as a stale one left beside a newer file.

    Returns
    -------
    Evidence
        PRESENT: integrity and signature hold, whoever signed. INVALID: a manifest is there, but
        broken, tampered with, or signed with an expired certificate and no timestamp. ABSENT: no
        manifest. UNDETERMINED: not parseable, too large an AVI or WAV, or the manifest lies on a
        server only. `payload` is
        the first digital source type that means AI. `facts`:

        state : ``Trusted``, ``Valid``, ``Invalid`` or None; the SDK's, with misplaced trust undone
        integrity : ``match``, ``mismatch``, ``none``, ``unreadable``
        signature : ``valid``, ``invalid``, ``none``
        trust : see `Grade`; trust_list : URI of the list or None
        freshness : ``timestamped``, ``current``, ``expired``
        codes, informational : status codes of the active manifest (C2PA 2.4 §15.2)
        causes : the failure codes that make the file invalid, of ingredients where they do
        issuer, common_name, algorithm, time, timestamped : of the active signature
        claim_generator, manifest_label, embedded, title
        software_agent, when : the generating system as {name, version} and its time, from the
            statement that tells most; of the first action where none declares AI
        actions : of the active manifest
        ai_declared : list of {where, source_type (URI as found), action, strength (``strong`` or
            ``weak``), text, software_agent, when}; where is ``active`` or a manifest label
        ingredients : list of {where, relationship, title, manifest, codes}
        parents_ok : False when an ingredient's credentials were or are broken; None without any
    """
    kind = mime if mime is not None else mime_of(data)
    look = partial(_read_one, data, kind, trust=trust)
    if sidecar is None:
        return look()
    beside = look(sidecar=sidecar)
    if beside.status is Status.PRESENT:
        return beside
    inside = look()
    return inside if inside.status in (Status.PRESENT, Status.INVALID) else beside


def mime_of(data: bytes | BinaryIO) -> str | None:
    """Return the media type the first bytes tell, None where they tell nothing.

    Pictures, sounds and films of the toolkit, and the text format the SDK cannot tell by itself.
    """
    file = opened(data)
    try:
        return sniff_media(file).mime
    except UnsupportedFormat:
        return "image/svg+xml" if b"<svg" in read_at(file, 0, HEAD_BYTES) else None


def _read_one(
    data: bytes | BinaryIO,
    kind: str | None,
    *,
    trust: TrustProfile,
    sidecar: bytes | None = None,
) -> Evidence:
    """Read the embedded manifest, or the detached one where it is given."""
    import c2pa

    file = opened(data)
    riff = read_at(file, 0, 4) == b"RIFF"
    if riff and sidecar is not None:
        kind = UNKNOWN  # nothing but the bytes matters, and the SDK would hold them in memory
    elif riff and _overtaxes(file):
        detail = "A C2PA manifest may be there, but AVI and WAV of over 1 GiB are not looked into"
        facts: Json = {"state": None, "integrity": "unreadable", "codes": []}
        return Evidence(mark=MARK, status=Status.UNDETERMINED, detail=detail, facts=facts)
    file.seek(0)
    try:
        with c2pa.Reader(kind, file, sidecar, context=context(trust)) as reader:
            text, embedded = reader.json(), reader.is_embedded()
        # Python refuses to follow a manifest nested thousands of levels deep.
        store = json.loads(text)
        if store.get("active_manifest") not in store["manifests"]:
            raise ValueError("no active manifest")
    except c2pa.C2paError.ManifestNotFound:
        return Evidence(mark=MARK, status=Status.ABSENT, detail="There is no C2PA manifest")
    except (c2pa.C2paError, ValueError, KeyError, RecursionError) as error:
        return _unreadable(error)
    return _evidence(store, embedded=embedded, trust=trust)


def _overtaxes(file: BinaryIO) -> bool:
    """Whether the SDK would read a long AVI or WAV into memory."""
    if file.seek(0, os.SEEK_END) <= _MOST_RIFF:
        return False
    try:
        return has_c2pa(file, sniff_media(file))
    except MediaError:
        return True


def _unreadable(error: Exception) -> Evidence:
    text = str(error)
    words, _ = plain(error)
    facts: Json = {
        "state": None,
        "integrity": "unreadable",
        "codes": [],
        "sdk_error": text[:MAX_TEXT],
    }
    remote = re.match(r"Remote: .*?(https?://\S+)", text)
    if remote:
        facts |= {"integrity": "none", "remote_url": remote[1][:MAX_TEXT]}
    # Where not even the container can be read, nothing is known of a manifest.
    outside = remote or re.match(r"NotSupported|Io\b|Other: asset could not be parsed", text)
    status = Status.UNDETERMINED if outside else Status.INVALID
    what = "A C2PA manifest may be there, but" if outside else "There is a C2PA manifest, but"
    if text.startswith("NotSupported"):
        what = "No C2PA manifest could be looked for:"
    return Evidence(mark=MARK, status=status, detail=f"{what} {words}", facts=facts)


def _evidence(store: Json, *, embedded: bool, trust: TrustProfile) -> Evidence:
    label = store["active_manifest"]
    active = store["manifests"][label]
    signature = active.get("signature_info", {})
    declared = list(islice(_declared(store), MAX_ENTRIES))
    ingredients = list(islice(_ingredients(store), MAX_ENTRIES))
    actions = list(islice(stored.actions(active), MAX_ENTRIES))
    facts = {
        **_axes(store, signature, trust),
        "issuer": stored.text(signature.get("issuer")),
        "common_name": stored.text(signature.get("common_name")),
        "algorithm": stored.text(signature.get("alg")),
        "time": stored.text(signature.get("time")),
        "claim_generator": stored.claim_generator(active),
        "manifest_label": stored.text(label),
        "title": stored.text(active.get("title")),
        "embedded": embedded,
        "actions": [stored.text(action.get("action")) for action in actions],
        "ai_declared": declared,
        **_made_by(active, actions, declared),
        "ingredients": ingredients,
        "parents_ok": _parents_ok(ingredients),
    }
    facts["causes"] = [] if facts["state"] in _HOLDING else _causes(facts)
    strong = [entry["source_type"] for entry in declared if entry["strength"] == "strong"]
    return Evidence(
        mark=MARK,
        status=Status.PRESENT if facts["state"] in _HOLDING else Status.INVALID,
        payload=strong[0] if strong else None,
        where=f"{'embedded' if embedded else 'detached'} manifest {facts['manifest_label']}",
        detail=_detail(facts),
        facts=facts,
    )


def _axes(store: Json, signature: Json, trust: TrustProfile) -> Json:
    results = store.get("validation_results", {})
    active = results.get("activeManifest", {})
    good, bad = stored.codes(active.get("success")), stored.codes(active.get("failure"))
    good_below = {
        code for _, delta in stored.deltas(results) for code in stored.codes(delta.get("success"))
    }

    state = store.get("validation_state")
    uri = results.get("trustListUri") if "signingCredential.trusted" in good else None
    grade = trust.granted(uri)
    if uri is not None and grade is Grade.UNTRUSTED:
        state = "Valid" if state == "Trusted" else state
        bad = sorted({*bad, "signingCredential.untrusted"})
    if grade is Grade.UNTRUSTED and signature.get("issuer") in _TEST_SIGNERS:
        grade = Grade.TEST

    axes = {_axis(code) for code in bad}
    hashed = any(_CONTENT_MATCH.match(code) for code in {*good, *good_below})
    stamped = "timeStamp.trusted" in good
    signed = "valid" if "claimSignature.validated" in good else "none"
    return {
        "state": state,
        "integrity": "mismatch" if "integrity" in axes else "match" if hashed else "none",
        "signature": "invalid" if "signature" in axes else signed,
        "trust": grade.value,
        "trust_list": uri if grade not in (Grade.UNTRUSTED, Grade.TEST) else None,
        "freshness": "expired" if "freshness" in axes else "timestamped" if stamped else "current",
        "timestamped": stamped,
        "codes": bad,
        "informational": stored.codes(active.get("informational")),
    }


def _axis(code: str) -> str:
    """Return which question a failure code answers."""
    if code in ("signingCredential.expired", "claimSignature.outsideValidity"):
        return "freshness"
    if code.startswith("claimSignature."):
        return "signature"
    if code.startswith("signingCredential."):
        return "trust"
    if code.startswith("timeStamp."):
        return "timestamp"
    return "integrity"


def _declared(store: Json) -> Iterator[Json]:
    """Every statement that AI made the content, in the active manifest and in all below it."""
    for label, manifest in stored.manifests(store):
        where = "active" if label == store["active_manifest"] else stored.text(label)
        statements = [
            *((action.get("digitalSourceType"), action) for action in stored.actions(manifest)),
            *((uri, {}) for uri in stored.metadata_values(manifest, "DigitalSourceType")),
        ]
        for uri, action in statements:
            words = " ".join(filter(None, map(stored.text, stored.descriptions(action)))) or None
            strength = _strength(uri, words)
            if strength:
                yield {
                    "where": where,
                    "source_type": stored.text(uri),
                    "action": stored.text(action.get("action")),
                    "strength": strength,
                    "text": words,
                    "software_agent": stored.agent(action.get("softwareAgent")),
                    "when": stored.text(action.get("when")),
                }


def _strength(uri: Any, words: str | None) -> str | None:
    """Return ``strong`` for a trained model, ``weak`` for a hint, None for neither."""
    if isinstance(uri, str) and uri:
        meaning = source_type(uri).meaning
        return {Meaning.AI: "strong", Meaning.SYNTHETIC: "weak"}.get(meaning)
    return "weak" if words and _FREE_TEXT.search(words) else None


def _made_by(active: Json, actions: list[Json], declared: list[Json]) -> Json:
    """Name the generating system and its time, from the most telling statement there is."""
    own = [entry for entry in declared if entry["where"] == "active" and entry["action"]]
    systems = list(stored.metadata_values(active, "AISystemUsed"))
    version = next(stored.metadata_values(active, "AISystemVersionUsed"), None)
    candidates = [
        *(entry["software_agent"] for entry in own if entry["action"] != "c2pa.edited.metadata"),
        *({"name": system, "version": version} for system in systems),
        *(entry["software_agent"] for entry in declared if entry["where"] != "active"),
        *(stored.agent(action.get("softwareAgent")) for action in actions),
    ]
    times = [entry["when"] for entry in (*own, *declared)] + [
        stored.text(a.get("when")) for a in actions
    ]
    return {
        "software_agent": next(filter(None, candidates), None),
        "when": next(filter(None, times), None),
    }


def _ingredients(store: Json) -> Iterator[Json]:
    """Every ingredient of every manifest, with what failed then (when signed in) and now."""
    failed_now: dict[str, list[str]] = {}
    for uri, delta in stored.deltas(store.get("validation_results")):
        failed_now.setdefault(uri, []).extend(stored.codes(delta.get("failure")))
    for label, manifest in stored.manifests(store):
        for ingredient in map(stored.mapping, manifest.get("ingredients") or ()):
            uri = f"self#jumbf=/c2pa/{label}/c2pa.assertions/{ingredient.get('label')}"
            recorded = stored.mapping(ingredient.get("validation_results"))
            failed = [
                *stored.codes(stored.mapping(recorded.get("activeManifest")).get("failure")),
                *(
                    code
                    for _, delta in stored.deltas(recorded)
                    for code in stored.codes(delta.get("failure"))
                ),
                *stored.codes(ingredient.get("validation_status")),
                *failed_now.get(uri, ()),
            ]
            yield {
                "where": "active" if label == store["active_manifest"] else stored.text(label),
                "relationship": stored.text(ingredient.get("relationship")),
                "title": stored.text(ingredient.get("title")),
                "manifest": stored.text(ingredient.get("active_manifest")),
                "codes": sorted(set(failed)),
            }


def _parents_ok(ingredients: list[Json]) -> bool | None:
    if not ingredients:
        return None
    return not any(_breaking(code) for entry in ingredients for code in entry["codes"])


def _breaking(code: str) -> bool:
    # A manifest that was merely not fetched is unknown, not broken.
    return _axis(code) in ("integrity", "signature") and code != "manifest.inaccessible"


def _causes(facts: Json) -> list[str]:
    own = [code for code in facts["codes"] if _breaking(code) or _axis(code) == "freshness"]
    below = {code for entry in facts["ingredients"] for code in entry["codes"] if _breaking(code)}
    return own or sorted(below)


def _detail(facts: Json) -> str:
    signer = facts["issuer"] or facts["common_name"] or "an unnamed signer"
    if facts["state"] not in _HOLDING:
        reasons = "; ".join(dict.fromkeys(map(plain_code, facts["causes"])))
        return f"The C2PA manifest signed by {signer} is invalid: {reasons}"
    standing = {
        Grade.OFFICIAL: "who is on the C2PA trust list",
        Grade.INTERIM: "who is on the interim trust list",
        Grade.USER: "who is on a trust list of yours",
        Grade.DEV: "a development certificate of this machine, which proves nothing to others",
        Grade.TEST: "a published test certificate, which proves nothing",
        Grade.UNTRUSTED: "who is on none of the trust lists in use",
    }[Grade(facts["trust"])]
    tail = "; the credentials of an earlier version fail" if facts["parents_ok"] is False else ""
    return f"Intact C2PA manifest signed by {signer}, {standing}{tail}"
