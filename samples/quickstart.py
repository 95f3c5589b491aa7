"""Label one picture and verify it: the example of the README.

python samples/quickstart.py in.jpg out.jpg
"""

from __future__ import annotations

import sys

import aiglabel as agl


def main(source: str, target: str) -> None:
    """Label `source` as `target`, then print what is found in `target`."""
    label = agl.Label.generated(
        producer="001191110102MACQD9K64010000",  # the provider's code, TC260-PG-20252A
        content_id="p-1",
        model="my-model",
        model_version="1.2",
    )
    policy = agl.Policy.preset("cn")
    key = agl.Key.generate()  # keep it: key.save("my.key")
    agl.embed(source, target, label=label, policy=policy, key=key)
    print(agl.verify(target, policy=policy, keys=[key]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: quickstart.py IN OUT")
    main(*sys.argv[1:])
