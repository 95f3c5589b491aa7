"""Arrays in, arrays out: the watermark's signal processing. No files, no logging, no globals."""
