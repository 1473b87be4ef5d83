"""Writes labelled film reviews from a grammar.

The grammar (grammar.txt, where its notation is explained) says how one sentence for, against or
beside the film may run. This module expands it and puts sentences together into reviews of one to
some 170 words, with the noise of real typing: lower case, capitals, curly quotes, emoji, typos of
punctuation. Everything follows from one seed.

    rng = random.Random(7)
    grammar = Grammar.load("grammar.txt")
    text = review(grammar, rng, positive=True)
"""

from __future__ import annotations

import dataclasses
import random
import re
from pathlib import Path

_REFERENCE = re.compile(r"\{(!!|[@!])?(\w+)\}")
_CHOICE = re.compile(r"\[([^\[\]{}]*(?:\{[^{}]*\}[^\[\]{}]*)*)\]")
_WEIGHT = re.compile(r"(.*\S) \*(\d+)$")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO]|hour|honest|u[nglr])(?!one[- ]|uni|eu|once)")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-zéí]")


@dataclasses.dataclass(frozen=True)
class Section:
    """The alternatives of one symbol and their weights."""

    entries: list[str]
    weights: list[int]


class Grammar:
    """Sections by name; expand turns one of them into text."""

    def __init__(self, sections: dict[str, Section]):
        self._sections = sections
        for name, section in sections.items():
            for entry in section.entries:
                self._check(name, entry)

    @classmethod
    def load(cls, path: str | Path) -> Grammar:
        """Reads a grammar file; raises ValueError on an unknown name or a broken line."""
        sections: dict[str, Section] = {}
        current = None
        for number, line in enumerate(Path(path).read_text("utf-8").splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if re.fullmatch(r":\w+", line):
                current = sections.setdefault(line[1:], Section([], []))
                continue
            if current is None:
                raise ValueError(f"{path}:{number}: an alternative before the first section")
            for entry in line.split(" | "):
                match = _WEIGHT.match(entry)
                current.entries.append(match[1] if match else entry)
                current.weights.append(int(match[2]) if match else 1)
        return cls(sections)

    def expand(self, name: str, rng: random.Random, positive: bool) -> str:
        """Returns one random text of a section, with the given opinion where it has one."""
        section = self._sections[name]
        text = rng.choices(section.entries, section.weights)[0]
        while match := _CHOICE.search(text):
            choice = rng.choice(match[1].split("|"))
            text = text[: match.start()] + choice + text[match.end() :]

        def substitute(match: re.Match) -> str:
            target, opinion = _target(match[1] or "", match[2], positive)
            return self.expand(target, rng, opinion)

        return _REFERENCE.sub(substitute, text)

    def _check(self, name: str, entry: str) -> None:
        for mark, reference in _REFERENCE.findall(entry):
            for positive in (True, False):
                target, _ = _target(mark, reference, positive)
                if target not in self._sections:
                    raise ValueError(f"grammar section {name!r}: no section {target!r}")


def _target(mark: str, name: str, positive: bool) -> tuple[str, bool]:
    """Returns the section that a reference means and the opinion to expand it with."""
    if mark.startswith("!"):
        positive = not positive
    if mark in ("@", "!"):
        name = ("pos_" if positive else "neg_") + name
    elif name.startswith(("pos_", "neg_")):
        positive = name.startswith("pos_")
    return name, positive


def review(grammar: Grammar, rng: random.Random, positive: bool) -> str:
    """Returns one review with the given opinion."""
    sentences = [_tidy(s) for s in _sentences(grammar, rng, positive)]
    sentences = [_insert_rare(grammar, rng, s) if rng.random() < 0.12 else s for s in sentences]
    text = _noise(rng, " ".join(_punctuate(rng, s) for s in sentences))
    if rng.random() < 0.05:
        text += " " + grammar.expand("pos_emoji" if positive else "neg_emoji", rng, positive)
    return text


def _sentences(grammar: Grammar, rng: random.Random, positive: bool) -> list[str]:
    """Draws the sentences of a review: its opinion outweighs any doubt and often has the last
    word."""
    size = rng.choices(("one", "few", "many"), (48, 33, 19))[0]
    if size == "one":
        return [grammar.expand("sent", rng, positive)]
    total = rng.randint(2, 5) if size == "few" else rng.randint(6, 16)
    neutral = rng.randint(0, total // 2) if rng.random() < 0.7 else max(0, total - 2)
    own = total - neutral
    doubts = rng.randint(0, (own - 1) // 3) if rng.random() < 0.5 else 0
    body = [("neutral", positive)] * neutral + [("aside", not positive)] * doubts
    body += [("sent", positive)] * (own - doubts - 1)
    rng.shuffle(body)
    last = (rng.choice(("sent", "@verdict")), positive)
    body.insert(len(body) if rng.random() < 0.5 else rng.randint(0, len(body)), last)
    out = []
    for name, opinion in body:
        if name == "@verdict":
            text = grammar.expand("pos_verdict" if opinion else "neg_verdict", rng, opinion) + "."
        else:
            text = grammar.expand(name, rng, opinion)
        out.append(text)
    return out


def _tidy(sentence: str) -> str:
    """Repairs spaces, articles and the capital at a sentence's start."""
    sentence = re.sub(r"\s+", " ", sentence).strip()
    sentence = re.sub(r" ([.,!?;])", r"\1", sentence)
    sentence = _ARTICLE.sub(r"\1n ", sentence)
    return _SENTENCE_START.sub(lambda m: m[0].upper(), sentence)


def _insert_rare(grammar: Grammar, rng: random.Random, sentence: str) -> str:
    """Puts an unusual word somewhere, so that such words come to mean nothing."""
    words = sentence.split(" ")
    at = rng.randint(1, len(words)) if len(words) > 1 else 1
    words.insert(at, grammar.expand("rare", rng, True))
    return " ".join(words)


def _punctuate(rng: random.Random, sentence: str) -> str:
    """Ends a sentence as people do."""
    draw = rng.random()
    if draw < 0.90 or not sentence.endswith("."):
        return sentence
    if draw < 0.94:
        return sentence[:-1] + "..."
    if draw < 0.97:
        return sentence[:-1] + rng.choice(("!!", "!!!", "!", " -"))
    return f"({sentence[:-1]}.)" if draw < 0.985 else sentence[:-1] + ","


def _noise(rng: random.Random, text: str) -> str:
    """Types the review as one of many hands would."""
    draw = rng.random()
    if draw < 0.07:
        text = text.lower()
    elif draw < 0.09:
        text = text.upper()
    elif draw < 0.14:
        words = text.split(" ")
        for _ in range(1 + len(words) // 20):
            i = rng.randrange(len(words))
            words[i] = words[i].upper()
        text = " ".join(words)
    if rng.random() < 0.12:
        text = text.replace("'", "\u2019")
        text = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", text)
    elif rng.random() < 0.04:
        text = text.replace("'", "")
    if rng.random() < 0.04:
        text = text.replace(", ", " \u2013 " if rng.random() < 0.5 else " - ", 1)
    if rng.random() < 0.10:
        text = text.rstrip(".")
    return text
