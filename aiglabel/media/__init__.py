"""Files in, arrays out, and back: decoding, encoding, limits, atomic writes."""
