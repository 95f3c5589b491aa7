"""What the tags of a sound or a film declare under the key AIGC."""

from aiglabel.containers import xmp
from aiglabel.containers.tags import KEY, Tags, is_label
from aiglabel.containers.texts import TextField
from aiglabel.errors import CorruptMedia

NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"


def labels(tags: Tags) -> list[TextField]:
    """The texts whose key or XMP property is AIGC, in the carriers they were found in."""
    found = [text for text in tags.texts if is_label(text.key)]
    for packet in tags.packets:
        try:
            values = xmp.get(packet, NAMESPACE, KEY)
        except CorruptMedia:
            continue
        found += [TextField(f"XMP TC260:{KEY}", KEY, value) for value in values]
    return found
