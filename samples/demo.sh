#!/bin/sh
# Label every sample picture, sound and film, verify the results, and lay out before and after. Run by `make demo`.
set -eu

bin=${1:-.venv/bin}
out=samples/out
key=$out/demo.key

rm -rf "$out/labelled"
mkdir -p "$out"
[ -f "$key" ] || "$bin/aiglabel" keygen "$key"
# The development certificate of the demo stays in its own folder.
export XDG_CONFIG_HOME="$PWD/$out/config"

"$bin/aiglabel" label samples/input -o "$out/labelled" --policy cn --key "$key" --signer dev \
    --producer 001191110102MACQD9K64010000 --model demo-model --model-version 1.0
"$bin/aiglabel" verify "$out/labelled" --policy cn --key "$key" --report "$out/report.html"
"$bin/python" samples/contact_sheet.py samples/input "$out/labelled" "$out/before_after.png" \
    > "$out/before_after.txt"
"$bin/python" samples/sound_sheet.py samples/input "$out/labelled" "$out/sounds.png" \
    > "$out/sounds.txt"

echo
echo "labelled files      $out/labelled"
echo "before and after    $out/before_after.png  (list: before_after.txt)"
echo "sounds              $out/sounds.png  (list: sounds.txt)"
echo "report to read      $out/report.html"
