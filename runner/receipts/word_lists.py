"""The words that stop and start, by language (BCP 47), and the courtesies that may stand around them.

Source of the English words: CTIA, "Short Code Monitoring Handbook" (STOP, END, CANCEL, UNSUBSCRIBE, QUIT), and what
large senders add (STOPALL, START, UNSTOP). Words that answer too many other questions are left out: "yes" and "kabul"
for start, and for stop the Vietnamese "dung", which without its accents is "correct" as well as "stop". Where CANCEL
answers one, such as an appointment, a list of one's own leaves it out. HELP is no opt-out.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
