"""Writes vocabularies, and what Keras' and BERT's own tokenizers make of many strings with them, to
the directory given.

    python make_keras.py COUNT SEED DIRECTORY

Writes *.vocab, tokenizer*.json and keras.jsonl.gz. It needs tensorflow-cpu 2.21.0, tf-keras, and
the file bert/tokenization.py of the package bert-tensorflow 1.0.4, in the folder that BERT names.
"""
import gzip
import json
import os
import random
import re
import sys
import types
import unicodedata

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf
from absl import flags
from tf_keras.preprocessing.text import Tokenizer, tokenizer_from_json

import nasty


def bert_module():
    """BERT's tokenization.py on TensorFlow 2, which has no gfile of its own."""
    path = os.path.join(os.environ["BERT"], "bert", "tokenization.py")
    files = types.SimpleNamespace(GFile=lambda name, mode: open(name, mode, encoding="utf-8"))
    module = types.ModuleType("tokenization")
    module.tf = types.SimpleNamespace(gfile=files)
    source = re.sub(r"(?m)^import tensorflow.*$", "", open(path).read())
    exec(compile(source, path, "exec"), module.__dict__)
    flags.FLAGS([""])
    return module


def assigned(text):
    """Whether this Python's Unicode knows every character: a newer one gives it other
    properties."""
    return all(unicodedata.category(c) != "Cn" for c in text)


def main():
    count, seed, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.makedirs(out, exist_ok=True)
    r = random.Random(seed)
    texts = [t for t in (nasty.text(r) for _ in range(count)) if assigned(t)]
    cases = []

    def save(name, text):
        with open(os.path.join(out, name), "w", encoding="utf-8", newline="\n") as f:
            f.write(text)

    words = sorted({w for t in texts for w in re.findall(r"\S+", t.lower())})
    r.shuffle(words)
    words = words[:400]
    stripped = sorted({re.sub(r'[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']', "", w) for w in words} - {""})

    layer = keras.layers.TextVectorization(vocabulary=[w for w in stripped if w != "[UNK]" and "\0" not in w])
    save("vectorization.vocab", "\n".join(map(str, layer.get_vocabulary())))
    for t in texts:
        cases.append(("vectorization.vocab", t, layer([t]).numpy()[0].tolist()))

    lookup = keras.layers.StringLookup(vocabulary=sorted({t for t in texts[::3] if t != "[UNK]" and "\0" not in t and "\n" not in t and "\r" not in t and t}))
    save("lookup.vocab", "\n".join(map(str, lookup.get_vocabulary())) + "\n")
    for t, i in zip(texts, lookup(tf.constant(texts)).numpy()):
        cases.append(("lookup.vocab", t, [int(i)]))

    for name, options in {
        "tokenizer.json": {},
        "tokenizer_oov.json": {"num_words": 100, "oov_token": "<OOV>"},
        "tokenizer_cased.json": {"lower": False, "filters": "!?.é", "split": "  ", "num_words": 60},
        "tokenizer_char.json": {"char_level": True, "num_words": 40, "oov_token": "?"},
    }.items():
        tokenizer = Tokenizer(**options)
        tokenizer.fit_on_texts(texts[::2])
        save(name, tokenizer.to_json())
        tokenizer = tokenizer_from_json(open(os.path.join(out, name)).read())
        for t, ids in zip(texts, tokenizer.texts_to_sequences(texts)):
            cases.append((name, t, ids))

    bert = bert_module()
    letters = sorted({c for t in texts for c in t if not c.isspace() and unicodedata.category(c)[0] != "C"})
    for name, cased in {"bert_uncased.vocab": False, "bert_cased.vocab": True}.items():
        pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        basic = bert.BasicTokenizer(do_lower_case=not cased)
        seen = sorted({w for t in texts for w in basic.tokenize(t)})
        r.shuffle(seen)
        for w in seen[:300]:
            a = r.randint(1, len(w))
            pieces += [w[:a]] + (["##" + w[a:]] if w[a:] else [])
        pieces += [c for c in letters if r.random() < 0.6 and (cased or not c.isupper())]
        pieces += ["##" + c for c in letters if r.random() < 0.4 and (cased or not c.isupper())]
        if not cased:
            pieces = [p for p in pieces if p.startswith("[") and p.endswith("]") or not any(c.isupper() for c in p)]
        save(name, "".join(p + "\n" for p in pieces))
        tokenizer = bert.FullTokenizer(os.path.join(out, name), do_lower_case=not cased)
        for t in texts:
            cases.append((name, t, tokenizer.convert_tokens_to_ids(tokenizer.tokenize(t))))

    with gzip.GzipFile(os.path.join(out, "keras.jsonl.gz"), "wb", mtime=0) as f:
        for vocab, text, ids in cases:
            f.write(json.dumps({"vocab": vocab, "text": text, "ids": ids}).encode() + b"\n")
    print(f"{len(cases)} cases")


main()
