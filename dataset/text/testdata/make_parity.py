"""Writes vocabularies, and what tensorflow-datasets makes of many strings with them, to the
directory given.

    PYTHONHASHSEED=0 python make_parity.py COUNT SEED DIRECTORY

Writes *.subwords, *.tokens and parity.jsonl.gz. Recorded with the packages of
bench/requirements.txt on Python 3.11.
"""
import base64
import copy
import gzip
import json
import os
import random
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import nasty
from tensorflow_datasets.core.deprecated.text import subword_text_encoder, text_encoder

COUNT, SEED, OUT = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
R = random.Random(SEED)
WORDS = nasty.WORDS
def broken():
    """Bytes that are mostly not UTF-8."""
    b = bytearray(nasty.text(R).encode("utf-8"))
    for _ in range(R.randint(1, 4)):
        k = R.random()
        at = R.randint(0, len(b))
        if k < 0.4:
            b.insert(at, R.choice([0x80, 0xbf, 0xc0, 0xc1, 0xc3, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff]))
        elif k < 0.7 and b:
            del b[min(at, len(b) - 1)]
        else:
            b[at:at] = R.choice([b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xc0\xaf"])
    return bytes(b)


def corpus():
    r = random.Random(5)
    for _ in range(1500):
        yield " ".join(r.choice(WORDS) for _ in range(r.randint(3, 30))) + r.choice([".", "!", " :)", "... "])


def encoders():
    sub, tok = subword_text_encoder.SubwordTextEncoder, text_encoder.TokenTextEncoder
    yield "corpus.subwords", sub.build_from_corpus(corpus(), 600, reserved_tokens=["<EOS>", "<br />"])
    yield "long.subwords", sub.build_from_corpus(corpus(), 2000, max_subword_length=30)
    yield "bytes.subwords", sub([])
    yield "hand.subwords", sub(["the_", "the", "_", "a", "a_", "ab", " ", "\\&", "undsc", "\\&undsc", "b_c", "b", "映", "映画_", "👍", "é", "e\u0301", "\\", "the", "<EOS>", "'s_", ", ", "  ", "\\;", "'", "''", "x'"])
    yield "plain.tokens", tok(["the", "movie", "was", "good", "<EOS>", "映画", "don't", "x_y", "_", "straße", "STRASSE"])
    yield "buckets.tokens", tok(["the", "Movie", " was ", "<br />", "İstanbul"], oov_buckets=7, oov_token="???")
    yield "lower.tokens", tok(["The", "MOVIE", "ΑΣΑΣ", "İstanbul", "well-made"], oov_buckets=1000003, lowercase=True)


def ordered(e, key):
    """The encoder with its reserved tokens tried in another order. tensorflow-datasets has them in
    that of a set of strings, which changes from run to run."""
    c = copy.copy(e)
    c._tokenizer = copy.copy(e._tokenizer)
    c._token_to_ids_cache = [(None, None)] * getattr(e, "_cache_size", 0)
    tokens = sorted(e._tokenizer.reserved_tokens, key=key)
    c._tokenizer._reserved_tokens_re = text_encoder._make_reserved_tokens_re(tokens)
    return c


def main():
    out = gzip.GzipFile(f"{OUT}/parity.jsonl.gz", "wb", 9, mtime=0)
    made = dict(encoders())
    for name, e in made.items():
        e.save_to_file(f"{OUT}/{name.rsplit('.', 1)[0]}")
    names = list(made)
    others = {n: [ordered(e, len), ordered(e, lambda t: -len(t))] for n, e in made.items()}
    left_out = 0
    for i in range(COUNT):
        name = names[i % len(names)]
        e, case = made[name], {"vocab": name}
        k = R.random()
        if k < 0.75:
            case["text"] = s = nasty.text(R)
            case["ids"] = e.encode(s)
        elif k < 0.88:
            b = broken()
            case["b64"] = base64.b64encode(b).decode()
            try:
                e.encode(b)
            except UnicodeDecodeError as err:
                case["error_at"] = err.start
            case["ids"] = e.encode(b.decode("utf-8", "replace"))
        else:
            # Ids at random: subwords, bytes that make no character, now and then an id that there
            # is not.
            n = e.vocab_size
            case["ids"] = [R.randint(max(1, n - 257), n - 1) if R.random() < 0.6 else R.randint(1, n - 1) for _ in range(R.randint(0, 12))]
            case["ids"] += [0] * R.choice([0, 0, 1, 3])
            if R.random() < 0.05 and name.endswith("subwords"):
                case["ids"].insert(0, R.choice([0, -3, n, n + 5]))
        s = case.get("text", base64.b64decode(case.get("b64", "")).decode("utf-8", "replace"))
        if any(o.encode(s) != e.encode(s) for o in others[name]):
            left_out += 1       # what comes out depends on the run
            continue
        try:
            case["decoded"] = e.decode(case["ids"])
        except ValueError:
            case["decode_fails"] = True
        case["vocab_size"] = e.vocab_size
        out.write(json.dumps(case, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
    out.close()
    print(f"{left_out} of {COUNT} left out: they depend on the order of a set", file=sys.stderr)


main()
