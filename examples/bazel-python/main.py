"""Prints a greeting."""

from greetings import words

print(words.greeting())
