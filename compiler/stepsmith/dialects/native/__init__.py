"""The native workflow language, as docs/language.md defines it."""
