"""The nouns: everything rests on them, they rest on nothing."""
