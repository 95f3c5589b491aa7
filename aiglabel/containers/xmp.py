"""XMP packets (ISO 16684-1) without awareness of the file around them.

A packet is edited by splicing its bytes, not by writing a parsed tree anew: every other property,
its prefix, order and spelling stay as they were.
"""

from __future__ import annotations

import codecs
import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from aiglabel.containers.bounds import Splice, splice
from aiglabel.errors import CorruptMedia, LabelError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MAX_PACKET = 16 << 20  # bytes; depth maps in extended XMP reach several MiB
_MAX_MARKUP = 200_000  # "<" characters: bounds the number of elements
_MAX_DEPTH = 64
_PADDING = (" " * 99 + "\n") * 20 + " " * 48  # 2 KiB, so that other tools can edit in place
_EMPTY = (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>').encode()
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
)  # fmt: skip
_TAG = re.compile(rb"<(?:[^\"'>]+|\"[^\"]*\"|'[^']*')*+>")
_ATTRIBUTE = re.compile(rb"(?<!\s)\s++([^\s=>/]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Name = tuple[str, str]  # (namespace URI, local name)


@dataclass
class Node:
    """One XML element and its place in the packet.

    Attributes
    ----------
    tag : str
        Name as written, with its prefix.
    attributes : mapping
        By their names as written.
    scope : mapping
        Prefix to namespace URI, as declared here and around.
    start, inside, close, end : int
        Byte offsets of ``<``, of the content, of the end tag and after it. The last three are
        equal in an empty-element tag.
    """

    tag: str
    attributes: Mapping[str, str]
    scope: ChainMap[str, str]
    start: int
    inside: int
    close: int = 0
    end: int = 0
    children: list[Node] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def name(self) -> Name:
        """Namespace and local name of the element."""
        prefix, _, local = self.tag.rpartition(":")
        return (self.scope.get(prefix, ""), local)

    def attribute_name(self, written: str) -> Name:
        """Return the namespace and local name of an attribute; the default namespace is not its."""
        prefix, _, local = written.rpartition(":")
        return (self.scope.get(prefix, "") if prefix else "", local)

    def attribute(self, name: Name) -> str | None:
        """Return the value of the attribute `name`, if it is there."""
        pairs = self.attributes.items()
        return next((text for key, text in pairs if self.attribute_name(key) == name), None)

    def values(self) -> list[str]:
        """Return the texts of this property: array items, resource, or plain."""
        for child in self.children:
            if child.name in ((RDF, "Alt"), (RDF, "Bag"), (RDF, "Seq")):
                return [text for item in child.children for text in item.values()]
            if child.name == (RDF, "value"):
                return child.values()
            if child.name == (RDF, "Description"):
                return child.values()
        resource = self.attribute((RDF, "resource"))
        return ["".join(self.texts).strip() if resource is None else resource]


@dataclass(frozen=True)
class XmpTree:
    """A parsed packet.

    Attributes
    ----------
    xml : bytes
        UTF-8 from the first to the last tag, without the ``xpacket`` wrapper.
    rdf : Node
        The ``rdf:RDF`` element.
    """

    xml: bytes
    rdf: Node

    def get(self, namespace: str, name: str) -> list[str]:
        """Return every value of a top-level property, whether attribute or element."""
        wanted = (namespace, name)
        found = []
        for node in self.rdf.children:
            inline = node.attribute(wanted)
            found += [] if inline is None else [inline]
            for child in node.children:
                found += child.values() if child.name == wanted else []
        return found


def parse(packet: bytes) -> XmpTree:
    """Parse a packet, tolerating what is seen in the wild.

    Accepted: UTF-8, UTF-16 and UTF-32 with or without a byte order mark, an XML declaration before
    the ``xpacket`` header, NUL or blank padding, a missing ``x:xmpmeta``.

    Raises
    ------
    CorruptMedia
        For anything that is not well-formed, holds no ``rdf:RDF``, declares entities, or is larger
        or deeper than any honest packet.
    """
    if len(packet) > MAX_PACKET:
        raise CorruptMedia(f"an XMP packet is larger than {MAX_PACKET >> 20} MiB")
    text = _decode(packet)
    if re.search(r"<!(?!--|\[CDATA\[)", text) or text.count("<") > _MAX_MARKUP:
        raise CorruptMedia("an XMP packet declares a document type or has too many elements")
    first = re.search(r"<[^\W\d]", text)
    if first is None:
        raise CorruptMedia("an XMP packet holds no XML element")
    last = text.find("<?xpacket end", first.start())
    xml = text[first.start() : last if last >= 0 else None].rstrip("\0 \t\r\n").encode()
    root = _Builder(xml).root
    level = [root]
    while level:
        for node in level:
            if node.name == (RDF, "RDF"):
                return XmpTree(xml, node)
        level = [child for node in level for child in node.children]
    raise CorruptMedia("an XMP packet holds no rdf:RDF element")


def get(packet: bytes, namespace: str, name: str) -> list[str]:
    """Return every value of a top-level property; empty when it is not there.

    Simple values, attributes, ``rdf:li`` items of an Alt, Bag or Seq and ``rdf:resource`` are all
    given as text. Raises `CorruptMedia` as `parse` does.
    """
    return parse(packet).get(namespace, name)


def set_properties(packet: bytes | None, props: Mapping[tuple[str, str, str], str]) -> bytes:
    """Return the packet with simple text properties set, and nothing else changed.

    Parameters
    ----------
    packet : bytes or None
        An existing packet, or None to begin one.
    props : mapping
        ``(namespace, preferred prefix, name)`` to text. A property that is there already, in any
        form and however often, becomes one element with the new text; the others are added in one
        new ``rdf:Description``.

    Returns
    -------
    bytes
        UTF-8 with ``xpacket`` wrapper and 2 KiB of padding.

    Raises
    ------
    CorruptMedia
        If `packet` cannot be parsed.
    LabelError
        If a text holds characters XML cannot carry.
    """
    tree = parse(packet or _EMPTY)
    values = {(ns, name): _escape(text) for (ns, _, name), text in props.items()}
    edits: list[Splice] = []
    placed: set[Name] = set()
    for node in tree.rdf.children:
        opening = tree.xml[node.start : node.inside]
        edits += [
            (node.start + match.start(), node.start + match.end(), b"")
            for match in _ATTRIBUTE.finditer(opening)
            if node.attribute_name(match[1].decode()) in values
        ]
        for child in node.children:
            if child.name in values:
                again = child.name in placed
                element = b"" if again else _element(child, values[child.name])
                edits.append((child.start, child.end, element))
                placed.add(child.name)
    missing = {key: text for key, text in props.items() if (key[0], key[2]) not in placed}
    if missing:
        edits.append(_addition(tree, missing))
    xml = splice(tree.xml, edits)
    head = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    return head.encode() + xml + f'\n{_PADDING}<?xpacket end="w"?>'.encode()


def without_padding(packet: bytes) -> bytes:
    """Return the packet without the blanks before its ``xpacket`` trailer."""
    end = packet.rfind(b"<?xpacket end")
    return packet if end < 0 else packet[:end].rstrip() + b"\n" + packet[end:]


def _decode(packet: bytes) -> str:
    packet = packet.lstrip(b" \t\r\n")
    encoding = next((name for bom, name in _BOMS if packet.startswith(bom)), "utf-8")
    try:
        return packet.decode(encoding)
    except UnicodeDecodeError as error:
        raise CorruptMedia(f"an XMP packet is not valid {encoding.upper()}") from error


def _escape(text: str) -> str:
    bad = _NOT_XML.search(text)
    if bad:
        raise LabelError(f"XML cannot carry the character {bad[0]!r}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _element(old: Node, text: str) -> bytes:
    prefix = old.tag.rpartition(":")[0]
    xmlns = f"xmlns:{prefix}" if prefix else "xmlns"
    declared = f' {xmlns}="{_quote(old.attributes[xmlns])}"' if xmlns in old.attributes else ""
    return f"<{old.tag}{declared}>{text}</{old.tag}>".encode()


def _addition(tree: XmpTree, props: Mapping[tuple[str, str, str], str]) -> Splice:
    """Return the splice that adds `props` at the end of ``rdf:RDF``."""
    rdf = tree.rdf
    # All descriptions of a packet must name the same resource (ISO 16684-1, 7.4).
    abouts = (node.attribute((ns, "about")) for node in rdf.children for ns in (RDF, ""))
    about = next((value for value in abouts if value is not None), "")
    prefixes = {prefix: ns for ns, prefix, _ in props}
    if rdf.scope.get("rdf") != RDF:
        prefixes["rdf"] = RDF
    xmlns = "".join(f' xmlns:{prefix}="{_quote(ns)}"' for prefix, ns in prefixes.items())
    lines = "".join(
        f"<{prefix}:{name}>{_escape(text)}</{prefix}:{name}>\n"
        for (_, prefix, name), text in props.items()
    )
    new = f'\n<rdf:Description rdf:about="{_quote(about)}"{xmlns}>\n{lines}</rdf:Description>\n'
    if rdf.close == rdf.inside == rdf.end:
        return (rdf.inside - 2, rdf.inside, f">{new}</{rdf.tag}>".encode())
    return (rdf.close, rdf.close, new.encode())


def _quote(text: str) -> str:
    return _escape(text).replace('"', "&quot;")


class _Builder:
    """Builds `Node` objects from expat events, which know their byte offsets."""

    def __init__(self, xml: bytes) -> None:
        self.xml = xml
        self.open: list[Node] = []
        self.root: Node
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        try:
            self.parser.Parse(xml, True)
        except expat.ExpatError as error:
            raise CorruptMedia(f"an XMP packet is not well-formed XML: {error}") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= _MAX_DEPTH:
            raise CorruptMedia(f"an XMP packet is nested more than {_MAX_DEPTH} deep")
        declared = {
            name.partition(":")[2]: uri
            for name, uri in attributes.items()
            if name == "xmlns" or name.startswith("xmlns:")
        }
        scope = self.open[-1].scope if self.open else ChainMap[str, str]()
        scope = scope.new_child(declared) if declared else scope
        start = self.parser.CurrentByteIndex
        opening = _TAG.match(self.xml, start)
        assert opening is not None  # expat has just accepted this tag
        node = Node(tag, attributes, scope, start, opening.end())
        if self.open:
            self.open[-1].children.append(node)
        else:
            self.root = node
        self.open.append(node)

    def _text(self, text: str) -> None:
        self.open[-1].texts.append(text)

    def _end(self, _tag: str) -> None:
        node = self.open.pop()
        if self.xml.startswith(b"/>", node.inside - 2):
            node.close = node.end = node.inside
        else:
            node.close = self.parser.CurrentByteIndex
            node.end = self.xml.index(b">", node.close) + 1
