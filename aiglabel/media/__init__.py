"""Files in, arrays out, and back. The only room that knows codecs."""

from aiglabel.media.arrays import from_array, to_array
from aiglabel.media.atomic import atomic_file, atomic_write, is_file, read_source, synced
from aiglabel.media.decode import decode, dimensions
from aiglabel.media.encode import encode
from aiglabel.media.ffmpeg import ffmpeg_exe
from aiglabel.media.fit import fit
from aiglabel.media.glance import glance
from aiglabel.media.limits import Limits
from aiglabel.media.picture import Picture, Settings

__all__ = [
    "Limits",
    "Picture",
    "Settings",
    "atomic_file",
    "atomic_write",
    "decode",
    "dimensions",
    "encode",
    "ffmpeg_exe",
    "fit",
    "from_array",
    "glance",
    "is_file",
    "read_source",
    "synced",
    "to_array",
]
