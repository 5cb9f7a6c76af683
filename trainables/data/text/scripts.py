"""Scripts that part no words by blanks, which the words of a text cannot be told by."""

import re
from collections.abc import Sequence

#: Letters of Chinese, Japanese, Thai, Lao, Burmese and Khmer. Korean parts its words by blanks.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003134f]"
)
_LETTER = re.compile(r"[^\W\d_]")

#: A sample of so many texts tells.
_SAMPLE = 2000

#: Texts with a larger share of such letters are read letter by letter.
_MOSTLY = 0.3


def lack_blanks(texts: Sequence[str]) -> bool:
    """Whether texts are mostly of a script without blanks between words."""
    sample = " ".join(text[:1000] for text in texts[:: max(1, len(texts) // _SAMPLE)])
    letters = len(_LETTER.findall(sample))
    return letters > 0 and len(_SPACELESS.findall(sample)) > _MOSTLY * letters
