"""What holds for every test: reproducible examples, no deadline on busy machines, no network."""

from __future__ import annotations

import socket

import pytest
from hypothesis import settings

# Time limits belong to the benchmarks: on two shared cores a deadline only makes tests flaky.
settings.register_profile("aiglabel", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("aiglabel")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that tries to leave this machine; local sockets still work."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert isinstance(address, tuple)
            assert address[0] in ("127.0.0.1", "::1", "localhost"), f"network: {address}"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
