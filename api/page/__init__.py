"""The page: plain ES modules, one style sheet and one vendored library, served as they are."""
