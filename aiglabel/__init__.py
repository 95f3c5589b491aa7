"""Mark AI-generated media and find the marks again."""
