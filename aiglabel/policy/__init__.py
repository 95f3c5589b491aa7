"""What a regime demands: which marks are written and which rules are judged. See `Policy`."""

from aiglabel.policy.policy import (
    AigcPolicy,
    CredentialsPolicy,
    FilmPolicy,
    IptcPolicy,
    OverlayPolicy,
    Policy,
    WatermarkPolicy,
    preset_names,
    read_toml,
)

__all__ = [
    "AigcPolicy",
    "CredentialsPolicy",
    "FilmPolicy",
    "IptcPolicy",
    "OverlayPolicy",
    "Policy",
    "WatermarkPolicy",
    "preset_names",
    "read_toml",
]
