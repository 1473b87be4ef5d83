"""Texts that tokenizers trip over."""
WORDS = """the a movie film was is not very good bad I it and of plot actor's scenes don't well-made 10/10 2001 great, really... (sigh) "ok" end. No! why?
naïve café façade Straße Ærø ΑΣΑΣ σίγμα İstanbul ILIK привет мир фильм שלום مرحبا हिन्दी ภาษาไทย 日本語 映画 テレビ 中文 한국어 영화 x_y __init__ snake_case_ _ __ \\ \\& \\&undsc \\&und undsc
&undsc a\\b \\n \\; \\\\ <EOS> <br /> <br/> <UNK> e.g. i.e. U.S.A. C++ C# $5.00 50% #tag @user http://a.b/c?d=e&f a@b.com 1,234.5 ½ Ⅷ ² ٣ ๓ 一 〇 𝟘 𐍈""".split()
ODD = ["👍", "👩‍👩‍👧", "🏳️‍🌈", "❤️", "☕️", "🇩🇪", "e\u0301", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u2028", "\u2029", "\x00", "\x01", "\x1c", "\x1f", "\x7f", "\x85", "\xa0", "\t", "\n", "\r", "\r\n", "\v", "\f",
       "\u3000", "\u2003", "  ", "   ", " ", " ", "\ufffd", "\ufffe", "\uffff", "\U0010ffff", "\ue000", "ß", "ǅ", "ﬁ", "ª", "·", "ˈ", "ʰ", "_", "\\", "'", '"', "<", ">", "0", "9"]


def char(R):
    """One character: of ASCII, odd, or any."""
    k = R.random()
    if k < 0.35:
        return chr(R.randint(0x20, 0x7e))
    if k < 0.5:
        return R.choice(ODD)
    while True:
        c = R.randint(0, R.choice([0xff, 0x7ff, 0xffff, 0x1ffff, 0x10ffff]))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def text(R):
    """A text of words, of odd characters, or of one piece many times."""
    k = R.random()
    if k < 0.03:
        return ""
    if k < 0.45:
        return "".join(R.choice(WORDS) + R.choice([" ", " ", " ", " ", "", "  ", ", ", "\n", "_"]) for _ in range(R.randint(1, 12)))
    if k < 0.65:
        return "".join(R.choice(WORDS + ODD) + R.choice([" ", " ", ""]) for _ in range(R.randint(1, 10)))
    if k < 0.9:
        return "".join(char(R) for _ in range(R.randint(1, 24)))
    if k < 0.95:
        return R.choice("aZé映_\\ .👍") * R.randint(20, 120)
    return "".join(R.choice(["_", "\\", "&", "undsc", "\\&undsc", " ", "a", ";", "\\&", "<EOS>", "<EO"]) for _ in range(R.randint(1, 14)))
