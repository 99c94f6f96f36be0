"""The general mixing model behind the port `LiteralModel`, for callers outside compiled code."""

from __future__ import annotations

from ktray.literals import general
from ktray.literals.settings import MixerSettings


class MixerModel:
    """The mixer under a preset; `header` describes the settings that `reset` restores."""

    def __init__(self, preset: str = "default", n: int = 1 << 20) -> None:
        self.name = preset
        self._settings = MixerSettings.for_block(n, preset)
        self.reset(self.header())

    def header(self) -> bytes:
        """The settings a decoder needs."""
        return self._settings.header()

    def reset(self, header: bytes) -> None:
        """Start a block; raises ArchiveError where `header` is none."""
        self._settings = MixerSettings.from_header(header)
        self.state = general.new_state(self._settings)

    def predict(self) -> int:
        """P(1) of 65536, 1..65535."""
        return int(general.predict(self.state))

    def update(self, bit: int) -> None:
        """Tell the model which bit came."""
        general.update(self.state, bit)
