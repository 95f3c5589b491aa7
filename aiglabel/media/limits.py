"""How much one file may ask for. Checked on headers, before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass

from aiglabel.errors import CorruptMedia, ResourceLimit


@dataclass(frozen=True)
class Limits:
    """Upper bounds for one file; exceeding one raises `ResourceLimit` before the memory is taken.

    Parameters
    ----------
    max_bytes : int
        Size of a file that is held in memory: a picture, or what is no path. Sounds and films at
        a path are read in places.
    max_pixels : int
        Pixels of one frame. The default is Pillow's own bomb limit, which is not lifted: for
        GIF, TIFF and WebP a larger value has no effect.
    max_total_pixels : int
        Pixels of all frames together; three bytes each are held in memory, six at 16 bits.
    max_frames : int
        Frames of an animation or pages of a TIFF.
    max_side : int
        Width or height.
    max_channels, max_rate : int
        Channels of a sound, and its samples a second.
    max_seconds : float
        Length of a sound that is read piece by piece.
    max_samples : int
        Samples of all channels together that are held in memory, four bytes each.
    """

    max_bytes: int = 512 << 20
    max_pixels: int = 178_956_970
    max_total_pixels: int = 500_000_000
    max_frames: int = 2000
    max_side: int = 65_535
    max_channels: int = 64
    max_rate: int = 768_000
    max_seconds: float = 86_400.0
    max_samples: int = 500_000_000

    def check_bytes(self, count: int) -> None:
        """Refuse a file of more than `max_bytes`."""
        if count > self.max_bytes:
            raise ResourceLimit(
                f"the file has {count} bytes, the limit is {self.max_bytes}",
                remedy="Raise Limits.max_bytes (Python) for a trusted file, or label a smaller one",
            )

    def check_size(self, width: int, height: int) -> None:
        """Refuse a frame that is empty, too long on a side or has too many pixels."""
        if width < 1 or height < 1:
            raise CorruptMedia(f"the picture has no pixels ({width} by {height})")
        if max(width, height) > self.max_side or width * height > self.max_pixels:
            raise ResourceLimit(
                f"a picture of {width} by {height} pixels is over the limit of "
                f"{self.max_pixels} pixels and {self.max_side} a side",
                remedy="Raise Limits.max_pixels if the file is trusted",
            )

    def check_frames(self, count: int, pixels: int) -> None:
        """Refuse more than `max_frames` frames or `max_total_pixels` in all of them."""
        if count > self.max_frames or pixels > self.max_total_pixels:
            raise ResourceLimit(
                f"{count} frames with {pixels} pixels in all are over the limit of "
                f"{self.max_frames} frames and {self.max_total_pixels} pixels",
                remedy="Raise Limits.max_frames or max_total_pixels if the file is trusted",
            )

    def check_sound(self, channels: int, rate: int, count: int = 0) -> None:
        """Refuse a sound without channels or rate, or with too many of either.

        Parameters
        ----------
        channels, rate : int
        count : int
            Samples of one channel, as far as they are known.
        """
        if channels < 1 or rate < 1 or count < 0:
            raise CorruptMedia(f"the sound has {channels} channels at {rate} Hz")
        if channels > self.max_channels or rate > self.max_rate:
            raise ResourceLimit(
                f"a sound of {channels} channels at {rate} Hz is over the limit of "
                f"{self.max_channels} channels and {self.max_rate} Hz",
                remedy="Raise Limits.max_channels or max_rate if the file is trusted",
            )
        if count > self.max_seconds * rate:
            raise ResourceLimit(
                f"the sound is {count / rate:.0f} s long, the limit is {self.max_seconds:.0f} s",
                remedy="Raise Limits.max_seconds if the file is trusted",
            )

    def check_held(self, channels: int, count: int) -> None:
        """Refuse to hold more than `max_samples` samples of a sound in memory."""
        if channels * count > self.max_samples:
            raise ResourceLimit(
                f"a sound of {channels} channels and {count} samples each is over the limit of "
                f"{self.max_samples} samples in memory",
                remedy="Read it piece by piece, or raise Limits.max_samples",
            )
