"""Metadata carriers: bytes in, bytes out, coded pixels untouched. One file a container family."""
