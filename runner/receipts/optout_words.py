"""Which replies are an opt-out, and which take one back. Pure, but for `read_words`.

The whole message counts, never a word in it: "don't stop" and "stop by tomorrow?" are no opt-outs. Punctuation, emoji
and courtesies may stand around the word: "Stop. Thank you", "please stop!". An ambiguous reply is neither.

Source of the English words: CTIA, "Short Code Monitoring Handbook" (STOP, END, CANCEL, UNSUBSCRIBE, QUIT), and what
large senders add (STOPALL, START, UNSTOP). Words that answer too many other questions are left out: "yes" and "kabul"
for start, and for stop the Vietnamese "dung", which without its accents is "correct" as well as "stop". Where CANCEL
answers another question, such as an appointment, give a list without it. HELP is no opt-out.
"""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from runner.base.errors import InputError, Position, Problem

# The words that stop, by language (BCP 47).
STOP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "en": (
            "stop", "stop all", "stopall", "end", "quit", "cancel", "unsubscribe", "unsub", "opt out", "optout",
            "remove me", "remove", "stop texting me", "stop messages", "stop sms", "no more messages", "revoke",
            "stop it", "stop this", "stop sending", "stop messaging me", "unsubscribe me", "take me off",
            "stop texting", "stop sending me messages", "stop messaging", "stop the messages", "stop spamming me",
            "don't text me", "dont text me", "do not text me", "don't text me anymore", "do not contact me",
            "no more texts", "no more sms", "remove me from your list", "take me off your list", "leave me alone",
        ),
        "id": ("berhenti", "stop", "batal langganan", "hentikan", "unreg"),
        "ms": ("henti", "berhenti", "batal", "hentikan"),
        "th": ("หยุด", "ยกเลิก", "เลิก", "ไม่รับ"),
        "vi": ("dừng", "ngừng", "ngung", "hủy", "huy", "hủy đăng ký", "từ chối", "tu choi", "tc"),
        "tl": ("itigil", "tigil", "hinto", "ihinto", "tama na"),
        "zh-Hans": ("停止", "退订", "取消订阅", "拒收", "td", "停"),
        "zh-Hant": ("停止", "退訂", "取消訂閱", "拒收", "停"),
        "ja": ("停止", "配信停止", "解除", "ストップ", "やめて"),
        "ko": ("중지", "수신거부", "거부", "그만", "정지"),
        "hi": ("बंद", "रोकें", "रोको", "band karo"),
        "bn": ("বন্ধ", "বন্ধ করুন"),
        "si": ("නවත්වන්න",),
        "ta": ("நிறுத்து", "நிறுத்தவும்"),
        "km": ("ឈប់", "បញ្ឈប់"),
        "my": ("ရပ်ပါ", "ရပ်"),
        "es": ("alto", "parar", "pare", "baja", "cancelar", "detener", "salir", "dar de baja"),
        "pt": ("parar", "pare", "sair", "cancelar", "descadastrar", "remover"),
        "fr": ("stop", "arret", "arrêt", "arrêter", "arreter", "arrêtez", "desabonner", "désabonner", "désinscription",
            "desinscription"),
        "de": ("stopp", "stop", "abmelden", "abbestellen", "austragen", "keine sms mehr"),
        "it": ("stop", "ferma", "fermare", "basta", "disiscrivi", "cancella", "cancellami"),
        "nl": ("stop", "afmelden", "uitschrijven", "stoppen"),
        "pl": ("stop", "wypisz", "rezygnuję", "rezygnuje"),
        "sv": ("stopp", "stop", "avsluta", "avregistrera"),
        "da": ("stop", "afmeld"),
        "nb": ("stopp", "stop", "avmeld"),
        "fi": ("stop", "lopeta", "peru"),
        "el": ("στοπ", "σταμάτα", "διαγραφή"),
        "ru": ("стоп", "отписка", "отписаться", "отмена", "хватит"),
        "uk": ("стоп", "відписатися", "відписка"),
        "tr": ("dur", "iptal", "ret", "durdur"),
        "ar": ("توقف", "إيقاف", "ايقاف", "الغاء", "إلغاء", "قف"),
        "he": ("הסר", "הסרה", "עצור", "הפסק"),
        "fa": ("توقف", "لغو"),
    }
)  # fmt: skip

# The words that start again, by language.
START: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "en": ("start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "resume"),
        "id": ("mulai", "start", "reg"),
        "ms": ("mula", "langgan"),
        "th": ("เริ่ม", "สมัคร"),
        "vi": ("bắt đầu", "bat dau", "đăng ký", "dang ky"),
        "tl": ("simulan",),
        "zh-Hans": ("开始", "订阅", "恢复"),
        "zh-Hant": ("開始", "訂閱", "恢復"),
        "ja": ("開始", "再開", "スタート"),
        "ko": ("시작", "수신동의"),
        "hi": ("शुरू", "shuru"),
        "es": ("inicio", "iniciar", "comenzar", "alta"),
        "pt": ("iniciar", "começar", "comecar"),
        "fr": ("start", "reprendre", "commencer", "réabonner"),
        "de": ("start", "anmelden"),
        "it": ("start", "inizia", "riprendi"),
        "nl": ("start", "aanmelden"),
        "pl": ("start", "zapisz"),
        "sv": ("start", "starta"),
        "da": ("start", "tilmeld"),
        "nb": ("start", "påmeld"),
        "fi": ("aloita",),
        "ru": ("старт", "подписаться", "начать"),
        "uk": ("старт", "підписатися"),
        "tr": ("başlat", "baslat"),
        "ar": ("ابدأ", "ابدا", "اشتراك", "بدء"),
        "he": ("התחל", "הצטרף"),
    }
)  # fmt: skip

# What may stand around a word without changing what it means.
COURTESIES = frozenset(
    {
        "please", "pls", "plz", "kindly", "thanks", "thank you", "thank you very much", "thankyou", "thx", "ty", "tq",
        "many thanks", "cheers", "sorry", "now", "hi", "hello", "sir", "madam", "ok", "bye", "tolong", "terima kasih",
        "makasih", "salamat", "po", "ครับ", "ค่ะ", "ขอบคุณ", "xin", "cảm ơn", "谢谢", "請", "请", "謝謝", "お願いします",
        "ください", "감사합니다", "por favor", "gracias", "obrigado", "obrigada", "merci", "svp", "s'il vous plaît",
        "s'il vous plait", "bitte", "danke", "vielen dank", "per favore", "grazie", "alstublieft", "bedankt", "proszę",
        "dziękuję", "tack", "tak", "takk", "kiitos", "пожалуйста", "спасибо", "lütfen", "teşekkürler",
        "من فضلك", "شكرا",
        "dhanyavad", "mit freundlichen grüßen", "regards",
        "sent from my iphone", "sent from my ipad", "sent from my samsung", "sent from my phone",
    }
)  # fmt: skip

# The columns of a file of words.
HEADER = ("language", "meaning", "word")


class Meaning(StrEnum):
    """What a reply means."""

    STOP = "stop"
    START = "start"


_SENTENCE_ENDS = re.compile(r"[.!?…。！？؟।\n\r;,、，:]+|\s[-–—]+\s")
# Marks and letters that nobody sees: the dot that is left of a small İ, what makes an emoji coloured or a key, fillers,
# joiners. Category Cf goes too.
_UNSEEN = re.compile("[\u0307\ufe00-\ufe0f\u20e3\u034f\u115f\u1160\u180b-\u180f\U000e0100-\U000e01ef]")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'"})
# Characters of a reply that can be an opt-out; no word with its courtesies is longer.
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class OptOutWords:
    """The words that stop and start. Each is held normalised, so that case, width and accents' forms don't matter."""

    meanings: Mapping[str, Meaning]

    def meaning(self, reply: str, sender: str = "") -> tuple[Meaning, str] | None:
        """What a reply means, and the word that says so; None when it is neither, or could be both.

        `sender` is who the reply is to, whose name may follow the word: "STOP ACME".
        """
        if len(reply) > _LONGEST:
            return None
        text = normalised(reply)
        spelled = text.split()
        if len(spelled) > 2 and all(len(word) == 1 for word in spelled):  # "S.T.O.P."
            text = "".join(spelled)
        if text in self.meanings:
            return self.meanings[text], text
        suffix = f" {normalised(sender)}" if normalised(sender) else ""
        found: tuple[Meaning, str] | None = None
        for sentence in _SENTENCE_ENDS.split(_plain(reply)):
            words = _without_courtesies(normalised(sentence))
            if suffix and words.endswith(suffix):
                words = words.removesuffix(suffix)
            if not words:
                continue
            if len(set(words.split())) == 1:  # "STOP STOP STOP"
                words = words.split()[0]
            meaning = self.meanings.get(words)
            if meaning is None or (found and found[0] is not meaning):
                return None
            found = found or (meaning, words)
        return found


def normalised(text: str) -> str:
    """As words are held: full-width letters plain, small, without punctuation and emoji around and between."""
    letters = "".join(
        character if unicodedata.category(character)[0] in "LMN" or character == "'" else " "
        for character in _plain(text)
    )
    return " ".join(word for part in letters.split() if (word := part.strip("'")))


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    # Invisible characters between the letters of a word part nothing.
    plain = _UNSEEN.sub("", "".join(c for c in plain if unicodedata.category(c) != "Cf"))
    return unicodedata.normalize("NFKC", plain)


_NORMAL_COURTESIES = frozenset(normalised(words) for words in COURTESIES)
_MOST_WORDS_OF_A_COURTESY = max(len(words.split()) for words in _NORMAL_COURTESIES)


def _without_courtesies(sentence: str) -> str:
    """The sentence without courtesies at its beginning and end."""
    words = sentence.split()
    while count := _courtesy(words, at_end=False):
        words = words[count:]
    while count := _courtesy(words, at_end=True):
        words = words[:-count]
    return " ".join(words)


def _courtesy(words: list[str], *, at_end: bool) -> int:
    """How many of the words, at one end, are a courtesy; 0 for none."""
    for count in range(min(_MOST_WORDS_OF_A_COURTESY, len(words)), 0, -1):
        if " ".join(words[-count:] if at_end else words[:count]) in _NORMAL_COURTESIES:
            return count
    return 0


_LISTS = ((Meaning.STOP, STOP), (Meaning.START, START))

BUILT_IN = OptOutWords(
    {normalised(word): meaning for meaning, lists in _LISTS for words in lists.values() for word in words}
)


def as_csv() -> str:
    """The built-in words as the file that `read_words` reads."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for meaning, lists in _LISTS:
        writer.writerows((language, meaning.value, word) for language, words in lists.items() for word in words)
    return text.getvalue()


def read_words(path: Path) -> OptOutWords:
    """The words of a CSV file (UTF-8) with the columns meaning (stop or start) and word, in place of the built-in ones.

    Raises InputError with every mistake: an opt-out that isn't understood is a complaint.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not CSV in UTF-8"
        raise InputError.of(
            f"the words in {path} cannot be read: {words}", "check the name and the encoding"
        ) from error
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    if missing := [name for name in HEADER[1:] if name not in header]:
        raise InputError.of(
            f"{path} has no column {' and '.join(missing)}",
            "begin with the line language,meaning,word; `campaign receipts --print-words` shows the built-in ones",
        )
    meanings: dict[str, Meaning] = {}
    problems: list[Problem] = []
    for line, cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        values = defaultdict(str, zip(header, map(str.strip, cells), strict=False))
        said, word, where = values["meaning"].lower(), values["word"], Position(str(path), line, 1)
        if said not in (Meaning.STOP, Meaning.START):
            problems.append(
                Problem(f'the meaning "{said}" is neither stop nor start', "write one of the two", "", where)
            )
        elif not normalised(word):
            problems.append(Problem(f'the word "{word}" has no letter', "write a word, or remove the line", "", where))
        elif meanings.setdefault(normalised(word), Meaning(said)) != said:
            problems.append(Problem(f'"{word}" means both stop and start', "keep one of the two", "", where))
    if not problems and Meaning.STOP not in meanings.values():
        problems.append(Problem(f"{path} has no word that means stop", "add one, or nobody can opt out"))
    if problems:
        raise InputError(problems)
    return OptOutWords(meanings)
