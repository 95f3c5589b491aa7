"""x"""


def as_page(r):
    return ""
