"""XMP packets: what is read in the wild, and that editing changes the named properties only."""

from __future__ import annotations

import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiglabel.containers import xmp
from aiglabel.errors import CorruptMedia, LabelError

NS = "http://www.tc260.org.cn/ns/AIGC/1.0/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
AIGC = (NS, "TC260", "AIGC")
VALUE = '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000","ProduceID":"p-1"}'
RDF = f'xmlns:rdf="{xmp.RDF}"'


def wrap(descriptions: str, *, rdf: str = RDF) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {rdf}>{descriptions}</rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def flat(packet: bytes) -> dict[str, str]:
    """Every property as canonical XML, by an independent parser."""
    text = packet.decode().partition("?>")[2].rpartition("<?xpacket")[0]
    properties = {}
    for description in next(ET.fromstring(text).iter(f"{{{xmp.RDF}}}RDF")):
        properties |= description.attrib
        for child in description:
            child.tail = None
            properties[child.tag] = ET.canonicalize(ET.tostring(child, "unicode"))
    return properties


RICH = """
<!-- by hand -->
<rdf:Description rdf:about="uuid:7" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:CreatorTool="a > b &amp; 'c'" xmp:Rating='5'>
 <dc:title><rdf:Alt><rdf:li xml:lang="x-default">你好</rdf:li></rdf:Alt></dc:title>
 <dc:subject><rdf:Bag><rdf:li>one</rdf:li><rdf:li>two</rdf:li></rdf:Bag></dc:subject>
 <xmp:Thumbnails rdf:parseType="Resource"><xmp:w>1</xmp:w></xmp:Thumbnails>
</rdf:Description>"""


def described(attributes: str, inner: str = "") -> str:
    return f"<rdf:Description {attributes}>{inner}</rdf:Description>"


# The same label as different writers spell it.
T = f'xmlns:t="{NS}"'
QUOTED = VALUE.replace('"', "&quot;")
SPELLINGS = {
    "element": described(f'xmlns:TC260="{NS}"', f"<TC260:AIGC>{VALUE}</TC260:AIGC>"),
    "escaped": described(T, f"<t:AIGC>{QUOTED}</t:AIGC>"),
    "attribute": f'<rdf:Description xmlns:TC260="{NS}" TC260:AIGC="{QUOTED}"/>',
    "other quotes": described(f"{T} t:AIGC='{VALUE}'"),
    "prefix declared late": described("", f"<t:AIGC {T}>{VALUE}</t:AIGC>"),
    "default namespace": described("", f'<AIGC xmlns="{NS}">{VALUE}</AIGC>'),
    "CDATA": described(T, f"<t:AIGC><![CDATA[{VALUE}]]></t:AIGC>"),
    "array": described(T, f"<t:AIGC><rdf:Seq><rdf:li>{VALUE}</rdf:li></rdf:Seq></t:AIGC>"),
    "qualified": described(
        T, f'<t:AIGC rdf:parseType="Resource"><rdf:value>{VALUE}</rdf:value></t:AIGC>'
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_read_and_updated_once(spelling):
    packet = wrap(SPELLINGS[spelling] + RICH)
    assert xmp.get(packet, NS, "AIGC") == [VALUE]
    once = xmp.set_properties(packet, {AIGC: '{"Label":"3"}'})
    assert xmp.get(once, NS, "AIGC") == ['{"Label":"3"}']
    again = xmp.set_properties(once, {AIGC: VALUE})
    assert xmp.get(again, NS, "AIGC") == [VALUE]
    before, after = flat(packet), flat(again)
    label = f"{{{NS}}}AIGC"
    assert {k: v for k, v in before.items() if k != label} == {
        k: v for k, v in after.items() if k != label
    }
    assert xmp.set_properties(again, {AIGC: VALUE}) == again


def test_encodings_and_wrappers_seen_in_the_wild():
    text = wrap(SPELLINGS["element"]).decode()
    bare = text.partition("?>")[2].rpartition("<?xpacket")[0]
    rdf_only = bare[bare.index("<rdf:RDF") : bare.index("</x:xmpmeta>")]
    declared = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n' + text
    variants = [text, bare, rdf_only, declared, text + "\0" * 40, "\n  " + bare + "\n\n"]
    variants += ["\ufeff" + text]
    for variant in variants:
        assert xmp.get(variant.encode(), NS, "AIGC") == [VALUE]
        assert xmp.get(xmp.set_properties(variant.encode(), {AIGC: "x"}), NS, "AIGC") == ["x"]
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
        assert xmp.get(text.replace("\ufeff", "").encode(encoding), NS, "AIGC") == [VALUE]


def test_a_label_twice_is_read_twice_and_written_once():
    packet = wrap(SPELLINGS["element"] + SPELLINGS["attribute"] + SPELLINGS["array"])
    assert xmp.get(packet, NS, "AIGC") == [VALUE] * 3
    assert xmp.get(xmp.set_properties(packet, {AIGC: "x"}), NS, "AIGC") == ["x"]


def test_only_top_level_properties_count():
    inner = (
        '<rdf:Description xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"><xmpMM:Pantry><rdf:Bag>'
        f'<rdf:li rdf:parseType="Resource"><t:AIGC xmlns:t="{NS}">ingredient</t:AIGC></rdf:li>'
        "</rdf:Bag></xmpMM:Pantry></rdf:Description>"
    )
    packet = wrap(inner)
    assert xmp.get(packet, NS, "AIGC") == []
    written = xmp.set_properties(packet, {AIGC: VALUE})
    assert xmp.get(written, NS, "AIGC") == [VALUE]
    assert b"ingredient" in written


def test_a_new_description_names_the_same_resource_and_keeps_prefixes():
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    written = xmp.set_properties(
        wrap(RICH), {AIGC: VALUE, (IPTC, "Iptc4xmpExt", "DigitalSourceType"): source}
    )
    text = written.decode()
    assert text.count('rdf:about="uuid:7"') == 2
    assert f"<TC260:AIGC>{VALUE}</TC260:AIGC>" in text
    assert RICH in text
    assert xmp.get(written, IPTC, "DigitalSourceType") == [source]
    assert xmp.get(written, "http://purl.org/dc/elements/1.1/", "subject") == ["one", "two"]
    assert xmp.get(written, "http://ns.adobe.com/xap/1.0/", "CreatorTool") == ["a > b & 'c'"]


def test_a_fresh_packet_has_wrapper_and_padding():
    packet = xmp.set_properties(None, {AIGC: VALUE})
    assert packet.startswith(b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>')
    assert packet.endswith(b'<?xpacket end="w"?>')
    assert len(packet) - len(xmp.without_padding(packet)) == 2048
    assert flat(packet).keys() == {f"{{{xmp.RDF}}}about", f"{{{NS}}}AIGC"}


@given(
    st.text(
        st.characters(
            codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"
        )
    )
)
def test_any_text_comes_back(text):
    packet = xmp.set_properties(wrap(RICH), {AIGC: f"[{text}]"})
    assert xmp.get(packet, NS, "AIGC") == [f"[{text}]"]


def test_control_characters_are_refused():
    with pytest.raises(LabelError, match="XML cannot carry"):
        xmp.set_properties(None, {AIGC: "a\0b"})


DEEP = "<a>" * 500 + "</a>" * 500
HOSTILE = {
    "empty": b"",
    "no element": b"hello",
    "no RDF": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    "open tag": wrap("<rdf:Description>"),
    "entities": b'<!DOCTYPE a [<!ENTITY b "c">]>' + wrap("<rdf:Description>&b;</rdf:Description>"),
    "entities in UTF-16": ('<!DOCTYPE a [<!ENTITY b "c">]>' + wrap(RICH).decode()).encode("utf-16"),
    "unknown entity": wrap("<rdf:Description>&b;</rdf:Description>"),
    "deep": wrap(DEEP),
    "many elements": wrap("<a/>" * 300_000),
    "large": wrap(" " * xmp.MAX_PACKET),
    "not UTF-8": wrap(RICH).replace("你".encode(), b"\xff\xfe"),
    "odd UTF-16": wrap(RICH).decode().encode("utf-16")[:-1],
    "cut": wrap(RICH)[:300],
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packets_are_corrupt(name):
    for function in (xmp.parse, lambda packet: xmp.set_properties(packet or b" ", {AIGC: VALUE})):
        with pytest.raises(CorruptMedia):
            function(HOSTILE[name])


def test_hostile_packets_cost_linear_time():
    started = time.perf_counter()
    blanks = wrap(f"<rdf:Description{' ' * 2_000_000}/>")
    xmp.set_properties(blanks, {AIGC: VALUE})
    xmp.without_padding(wrap(" " * 2_000_000) + b" x")
    xmp.set_properties(wrap(SPELLINGS["element"] * 2000), {AIGC: VALUE})
    names = " ".join(f'xmlns:p{i}="{i}"' for i in range(2000))
    xmp.parse(wrap("<rdf:Description xmlns:b='b'/>" * 2000, rdf=f"{RDF} {names}"))
    assert time.perf_counter() - started < 10
