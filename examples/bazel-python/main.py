"""Prints a greeting."""

from greetings import words
from names import people

print(words.greeting())
print(people.anybody())
