"""What can go wrong between a file and an answer.

RagProblem
├── LoadProblem        a file cannot become a document; the reason is for a person to read
│   ├── UnsupportedFormat  no loader reads this kind of file
│   └── NoText             the file holds no text (a scan, a blank page)
├── ModelUnavailable   the model's folder or cached name cannot be loaded; nothing is downloaded
├── ReaderOff          what cannot be done without the reader was asked for
├── QueryInvalid       a question that cannot be asked (blank)
├── QuestionsTooFew    too few labelled questions to tune a collection by
└── DatasetInvalid     an evaluation set that does not follow its layout
"""

from __future__ import annotations


class RagProblem(Exception):
    """Base of everything that rag/ raises on purpose; its text says what to do."""


class LoadProblem(RagProblem):
    """A file cannot become a document; the text is the reason, for a person to read."""


class UnsupportedFormat(LoadProblem):
    """No loader reads this kind of file."""


class NoText(LoadProblem):
    """The file holds no text."""


class ModelUnavailable(RagProblem):
    """The model cannot be loaded from its folder or from the local cache; nothing is downloaded."""


class ReaderOff(RagProblem):
    """What cannot be done without the reader was asked for, and it is off."""


class QueryInvalid(RagProblem):
    """A question that cannot be asked; the text says why."""


class QuestionsTooFew(RagProblem):
    """Too few labelled questions that a collection could be tuned by; the text says how many there have to be."""


class DatasetInvalid(RagProblem):
    """An evaluation set that does not follow its layout; the text names file and line."""
