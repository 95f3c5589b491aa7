#!/bin/sh
# Label every sample picture, verify the results, and lay out before and after. Run by `make demo`.
set -eu

bin=${1:-.venv/bin}
out=samples/out
key=$out/demo.key

mkdir -p "$out"
[ -f "$key" ] || "$bin/aiglabel" keygen "$key"

rm -rf "$out/labelled"
"$bin/aiglabel" label samples/input -o "$out/labelled" --key "$key" --policy cn \
    --producer 001191110102MACQD9K64010000 --model demo-model --model-version 1.0
"$bin/aiglabel" verify "$out/labelled" --key "$key" --policy cn --report "$out/report.jsonl"
"$bin/python" samples/contact_sheet.py samples/input "$out/labelled" "$out/before_after.png"

echo
echo "labelled pictures   $out/labelled"
echo "before and after    $out/before_after.png"
echo "findings            $out/report.jsonl"
