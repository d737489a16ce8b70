"""The pages: one module each, with `TITLE`, `INTRO` and `sections(facts, look)`."""
