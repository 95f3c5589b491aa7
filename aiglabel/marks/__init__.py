"""One room a mark; each both writes its mark and finds it again."""
