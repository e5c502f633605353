import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.base.errors import InputError
from runner.receipts.optout_words import (
    BUILT_IN,
    BUILT_IN_FILE,
    Meaning,
    normalised,
    read_words,
)
from runner.receipts.stop_sentences import Part

ROWS = list(csv.DictReader(BUILT_IN_FILE.read_text(encoding="utf-8").splitlines()))
WORDS_THAT_STOP = sorted({row["word"] for row in ROWS if row["meaning"] == "stop"})
WORDS_THAT_START = sorted({row["word"] for row in ROWS if row["meaning"] == "start"})

STOPS = [
    ("STOP", "as the text asked for it"),
    ("stop", "phones write small letters"),
    ("Stop ", "the keyboard adds a space after a suggestion"),
    ("\nSTOP\r\n", "sent from a gateway with line ends"),
    ("STOP.", "a sentence"),
    ("STOP!!!", "angry"),
    ("Stop?", "unsure of how it is done, sure of what is wanted"),
    ("„STOP“", "German quotes: the text said to answer „STOP“"),
    ("“Stop”", "the phone's smart quotes"),
    ("'stop' please", "the quotes are around the word alone"),
    ("«СТОП»", "Russian quotes"),
    ("(stop)", "brackets"),
    ("ＳＴＯＰ", "full-width letters of an East Asian keyboard"),
    ("停止。", "a full-width full stop"),
    ("STOP 😡", "an emoji"),
    ("STOP ❤️", "an emoji with a variation selector, which is a mark of its own"),
    ("🛑STOP🛑🏽", "emoji around, one with a skin colour"),
    ("ST\u200bOP", "a zero-width space from a copied page"),
    ("\ufeffSTOP", "a byte order mark"),
    ("\u202aSTOP\u202c", "embedding marks of a right-to-left phone"),
    ("S T O P", "spelled"),
    ("S.T.O.P.", "spelled, with stops"),
    ("Stop. Thank you", "polite, two sentences"),
    ("Stop, thanks", "polite, one sentence"),
    ("STOP. Thank you very much", "a courtesy that begins with another one"),
    ("Thank you very much. Stop.", "the same, first"),
    ("thank you very much stop", "the same, in one sentence"),
    ("stop pls", "polite and short"),
    ("Please stop!", "the courtesy first"),
    ("hi, stop please. thx!", "courtesies on both sides"),
    ("stop - thank you", "a dash"),
    ("Stop\nSent from my iPhone", "a signature"),
    ("stop now", "impatient"),
    ("Stop. Stop. STOP", "three times"),
    ("STOP STOP STOP", "three times, in a hurry"),
    ("please stop stop!!", "twice, and polite"),
    ("Stop. Unsubscribe", "two words for the same"),
    ("Stop. I will sue you", "what else is said doesn't matter"),
    ("stop" + " thanks" * 40, "long"),
    ("STOP ALL", "as carriers know it"),
    ("stopall", "the same in one"),
    ("opt-out", "with a hyphen, which parts no sentence"),
    ("Opt-out please", "the same, polite"),
    ("UNSUBSCRIBE", "as in e-mail"),
    ("End", "CTIA"),
    ("don’t text me", "a typographic apostrophe"),
    ("İPTAL", "Turkish capitals have a dotted I, whose small letter keeps a mark"),
    ("ARRÊT", "accents in capitals"),
    ("arre\u0302t", "the accent as a mark of its own"),
    ("หยุด ครับ", "Thai, with vowels as marks, and polite"),
    ("बंद", "Hindi, with marks"),
    ("Por favor, baja. Gracias", "Spanish, polite"),
    ("bitte abmelden", "German, polite"),
    ("退订", "Chinese"),
    ("توقف", "Arabic"),
]  # fmt: skip

STARTS = [
    ("START", "as the text asked for it"),
    ("Start please", "polite"),
    ("unstop!", "as carriers know it"),
    ("ok, start", "a courtesy first"),
    ("开始", "Chinese"),
]

NEITHER = [
    ("", "nothing"),
    ("   \n", "nothing but white space"),
    ("😀", "nothing but an emoji"),
    ("thanks", "nothing but courtesy"),
    ("don't stop", "the opposite"),
    ("Don’t stop!", "the opposite, with a typographic apostrophe"),
    ("stop by the shop tomorrow", "another meaning"),
    ("nonstop", "a word that holds it"),
    ("HELP", "asks for help, and is no opt-out"),
    ("yes", "answers anything"),
    ("no", "answers anything"),
    ("dung", "Vietnamese without accents: correct, or stop"),
    ("text me", "no stop word"),
    ("can't stop laughing 😂", "they enjoy it"),
    ("I cant stop thinking about it", "the same, without the apostrophe"),
    ("we're the best, don't stop", "the opposite, in a second sentence"),
    ("don't stop texting me deals please", "the opposite"),
    ("I don't want to unsubscribe", "the opposite, with a wish"),
    ("ya no quiero cancelar", "the opposite, in Spanish"),
    ("لا أريد إلغاء الاشتراك", "the opposite, in Arabic"),
    ("iptal etmek istemiyorum", "the opposite, in Turkish, where it comes last"),
    ("बंद मत करो", "the opposite, in Hindi"),
    ("will stop by later please keep it for me", "another meaning, before a request"),
    ("please don't stop sending these", "the opposite, politely"),
    ("Please don't unsubscribe me", "the opposite, with another word"),
    ("can I stop by the shop at 5?", "another meaning"),
    ("Liked “Sale! Reply STOP to opt out”", "a phone reports a reaction, and quotes our text"),
    ("👍 to “Sale! Text STOP to end”", "the same, of another phone"),
    ("St. Op", "two sentences that spell it"),
    ("1", "a digit"),
    ("STOPSTART", "no word"),
    ("thanks thanks", "courtesy alone"),
]  # fmt: skip


# Sentences of ordinary people, in the languages that have words.
SENTENCES = [
    "Stop. Wrong number",
    "please stop sending text reminders",
    "Stop contacting me",
    "I want to opt out",
    "unsubscribe from this list",
    "take me off this list",
    "Please don't text me again",
    "STOP!!! Thanks, Ann",
    "stop.\n--\nAnn Tan",
    "Stop texting me, I want to opt out",
    "Pls stop sending me these messages!!! 😡",
    "I would like to unsubscribe",
    "Remove me from your list",
    "please remove my number",
    "Quit texting me",
    "leave me alone",
    "no more messages please",
    "Take me off your list. Thank you. - Bob",
    "Stop 🛑",
    "UNSUBSCRIBE ME NOW",
    "Stop it",
    "can you please stop texting me",
    "Could you remove me from your contact list?",
    "Do not text this number again",
    "Don't ever contact me again",
    "I don't want to receive these messages anymore",
    "I no longer want to receive your texts",
    "Please unsubscribe me from this list. Regards, John Smith",
    "This isn't Ann. Please take me off your list",
    "hi please stop these messages thank you",
    "STOP SPAMMING ME!!!",
    "opt-out please, John",
    "I do not want any more texts from you",
    "never text me again",
    "please cancel my subscription",
    "end these texts",
    "Stop sending me this crap",
    "no more texts!!",
    "Unsubscribe. I never signed up for this",
    "dont message me",
    "I'd like to be removed from your mailing list",
    "cancel",
    "Please cancel",
    "delete my number",
    "lose my number",
    "Stop\nSent from my iPhone",
    "stop acme",
    "hello, i'd like you to stop contacting me. kind regards, Ann",
    "U need to stop texting me",
    "how did you get my number? stop texting me",
    "STOP! In the name of love",
    "stop please!!!!!!! ok??",
    "I have asked you to stop. STOP",
    "pls remove me frm list",
    "hör auf mir zu schreiben",
    "bitte keine SMS mehr",
    "Bitte keine weiteren Nachrichten senden",
    "Ich möchte mich abmelden",
    "Bitte schreiben Sie mir nicht mehr",
    "Melden Sie mich bitte ab",
    "Ich möchte keine Werbung mehr erhalten",
    "Arrêtez de m'envoyer des messages",
    "je ne veux plus recevoir de sms",
    "Je souhaite me désabonner",
    "Veuillez me désinscrire de votre liste",
    "stop svp",
    "Merci de ne plus me contacter",
    "no me envíen más mensajes",
    "quiero darme de baja",
    "por favor dejen de enviar mensajes",
    "Ya no quiero recibir mensajes",
    "Por favor elimínenme de la lista",
    "No me escriban más",
    "quiero cancelar mi suscripción",
    "não quero mais receber mensagens",
    "por favor parem de enviar mensagens",
    "quero cancelar as mensagens",
    "me remova da lista",
    "berhenti kirim sms",
    "jangan hubungi saya lagi",
    "tolong hentikan",
    "saya ingin berhenti berlangganan",
    "Tolong jangan kirim sms lagi",
    "Sila berhenti hantar mesej",
    "tolong keluarkan nombor saya dari senarai",
    "请不要再发短信了",
    "不要再发了",
    "请停止发送短信给我",
    "我要退订",
    "我想取消订阅",
    "请把我从列表中删除",
    "別再傳簡訊給我",
    "もう送らないでください",
    "配信を停止してください",
    "メッセージの送信を停止してください",
    "配信停止お願いします",
    "문자 보내지 마세요",
    "수신 거부합니다",
    "더 이상 문자 보내지 마세요",
    "그만 보내세요",
    "หยุดส่งข้อความ",
    "ไม่ต้องส่งมาอีก",
    "กรุณายกเลิกการส่งข้อความ",
    "ขอยกเลิกการรับข้อความค่ะ",
    "đừng nhắn tin nữa",
    "tôi muốn hủy đăng ký",
    "vui lòng ngừng gửi tin nhắn cho tôi",
    "मुझे मैसेज मत भेजो",
    "कृपया मैसेज भेजना बंद करें",
    "message bhejna band karo",
    "please mat bhejo",
    "не пишите мне больше",
    "отпишите меня",
    "Прошу больше не присылать сообщения",
    "Хочу отписаться от рассылки",
    "Удалите мой номер из базы",
    "не надсилайте мені повідомлення",
    "لا ترسل لي رسائل",
    "توقف عن إرسال الرسائل",
    "أريد إلغاء الاشتراك",
    "الرجاء عدم ارسال رسائل",
    "mesaj göndermeyin",
    "bana mesaj atmayın",
    "Lütfen bana bir daha mesaj göndermeyin",
    "aboneliğimi iptal edin",
    "mesaj almak istemiyorum",
    "nie wysyłajcie mi SMSów",
    "proszę przestańcie",
    "Proszę o usunięcie mnie z listy",
    "Nie chcę otrzymywać więcej wiadomości",
    "stuur geen berichten meer",
    "Ik wil me graag afmelden",
    "Graag geen sms meer",
    "sluta skicka sms",
    "Jag vill avregistrera mig",
    "stop med at sende sms",
    "Slutt å sende meldinger",
    "älkää lähettäkö viestejä",
    "Lopettakaa viestien lähettäminen",
    "μη μου στέλνετε μηνύματα",
    "Σταματήστε να μου στέλνετε",
    "huwag na kayong mag text",
    "itigil na po ang pag text",
    "smettete di mandarmi messaggi",
    "non voglio più ricevere sms",
    "basta messaggi grazie",
    "תפסיקו לשלוח לי הודעות",
    "הסירו אותי מהרשימה",
    "لطفا دیگر پیامک نفرستید",
    "বার্তা পাঠানো বন্ধ করুন",
    "நிறுத்துங்கள்",
    "அனுப்ப வேண்டாம்",
    "Stop now or I will report you",
    "you have the wrong number please stop texting",
    "Do not contact me again or I will report you",
    "STOPPP",
    "stooop",
    "yes stop",
    "Stop sending me this sh*t",
    "I revoke my consent",
    "please take my name off your list",
    "un-subscribe",
    "stop texting this number, it's not Ann's",
    "Hi, please remove me from your SMS list. Best regards, Ann Tan, Director",
    "不要再给我发短信",
    "больше не пишите",
    "proszę mnie wypisać",
    "no quiero más mensajes",
    "मैसेज नहीं चाहिए",
    "வேண்டாம்",
    "Jag vill inte ha fler sms",
]

IN_DOUBT = [
    ("stopped", "another form"),
    ("stop and start", "both"),
    ("START. STOP", "both, in two sentences"),
    ("stop start stop", "both, again and again"),
    ("don't stop. STOP", "both, in other words"),
    ("stop or start?", "a question"),
    ("STOP OTHERBRAND", "the name of somebody else"),
    ("not stop", 'the opposite, or "no, stop"'),
    ("cancel my 3pm appointment", "another thing is to be cancelled"),
    ("Cancel. I'll come tomorrow instead", "the same, in two sentences"),
    ("Is the bus about to stop near you?", "another meaning, but a machine can't know"),
    ("when does the sale stop?", "a question"),
    ("this is my stop", "another meaning"),
    ("the end", "another meaning"),
    ("Is the bus stop near you?", "another meaning"),
    ("end of the month", "another end"),
    ("Why did you stop sending me coupons", "the opposite"),
    ("I can't stop these texts", "an opt-out, in other words than ours"),
    ("I can't unsubscribe", "the same"),
    ("You did not stop texting me", "the same"),
    ("I already opted out twice", "the same, in the past"),
    ("I unsubscribed last week", "the same"),
    ("no stop", "one or two sentences"),
    ('say stop to "ACME"', "no reaction of a phone"),
    ("Stop wasting my time", "an opt-out with more in the same sentence"),
    ("don't text me at night", "a part of an opt-out"),
    ("Do not send me messages at night", "the same, in other words"),
    ("how do I unsubscribe?", "a question that somebody has to answer"),
    ("reply stop to opt out", "a quoted text of ours, or an opt-out"),
    ("不要停止", "the opposite, in Chinese"),
    ("I don't want this", "no stop word"),
    ("no quiero", "no stop word"),
    ("wrong number", "no stop word, but the person never agreed"),
    ("I am not interested", "no stop word"),
    ("This is harassment", "no stop word"),
]


@pytest.mark.parametrize("reply", SENTENCES)
def test_sentences_that_opt_out(reply: str) -> None:
    assert Meaning.STOP == (BUILT_IN.meaning(reply, "ACME") or [None])[0]


@pytest.mark.parametrize(("reply", "why"), IN_DOUBT)
def test_replies_that_a_person_has_to_read(reply: str, why: str) -> None:
    assert Meaning.REVIEW == (BUILT_IN.meaning(reply) or [None])[0], why


@pytest.mark.parametrize(("reply", "why"), STOPS)
def test_replies_that_opt_out(reply: str, why: str) -> None:
    found = BUILT_IN.meaning(reply)
    assert found is not None, why
    assert found[0] is Meaning.STOP, why


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_courtesies_change_nothing_whatever_the_order_of_a_set(seed: int) -> None:
    """A set's order depends on the process: the same reply must not opt out in one and mean nothing in the next."""
    script = (
        "from runner.receipts.optout_words import BUILT_IN, COURTESIES, Meaning\n"
        "for courtesy in COURTESIES:\n"
        "    for reply in (f'{courtesy}, stop', f'stop. {courtesy}', f'{courtesy} stop {courtesy}'):\n"
        "        assert (BUILT_IN.meaning(reply) or [None])[0] is Meaning.STOP, reply\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(("reply", "why"), STARTS)
def test_replies_that_take_it_back(reply: str, why: str) -> None:
    found = BUILT_IN.meaning(reply)
    assert found is not None, why
    assert found[0] is Meaning.START, why


@pytest.mark.parametrize(("reply", "why"), NEITHER)
def test_replies_that_are_neither(reply: str, why: str) -> None:
    assert BUILT_IN.meaning(reply) is None, why


def test_the_word_is_told_normalised() -> None:
    assert (Meaning.STOP, "stop") == BUILT_IN.meaning("  „ＳＴＯＰ“ Thank you!!")


def test_the_name_of_the_sender_may_follow() -> None:
    assert (Meaning.STOP, "stop") == BUILT_IN.meaning("STOP Acme", "ACME")
    assert (Meaning.START, "start") == BUILT_IN.meaning("start acme please", "ACME")
    assert (Meaning.STOP, "stop") == BUILT_IN.meaning("STOP +6591234567", "6591234567")
    assert BUILT_IN.meaning("ACME", "ACME") is None
    assert (Meaning.STOP, "stop sending me messages") == BUILT_IN.meaning("Stop sending me messages, ACME", "ACME")
    assert (Meaning.REVIEW, "stop") == BUILT_IN.meaning("STOP ACME", "OTHER")
    assert (Meaning.REVIEW, "stop") == BUILT_IN.meaning("STOP ACME", "")


around = st.text(alphabet=" .!?\n\t\"'„“”«»()[]*_~…。！，😀🛑\u200b\ufe0f", max_size=12)
anything = st.text(max_size=200)


@given(word=st.sampled_from(WORDS_THAT_STOP), before=around, after=around)
def test_what_is_no_letter_changes_nothing(word: str, before: str, after: str) -> None:
    assert (Meaning.STOP, normalised(word)) == BUILT_IN.meaning(before + word + after)


@given(word=st.sampled_from(WORDS_THAT_STOP + WORDS_THAT_START))
def test_the_case_changes_nothing(word: str) -> None:
    small = BUILT_IN.meaning(word)
    assert small is not None
    for written in (word.upper(), word.title(), word.capitalize()):
        assert small == BUILT_IN.meaning(written), written


@given(stop=st.sampled_from(WORDS_THAT_STOP), start=st.sampled_from(WORDS_THAT_START), swap=st.booleans())
def test_both_in_one_reply_are_neither(stop: str, start: str, swap: bool) -> None:
    one, other = (stop, start) if not swap else (start, stop)
    assert Meaning.REVIEW == (BUILT_IN.meaning(f"{one}. {other}") or [None])[0]


@given(reply=anything, sender=st.text(max_size=20))
def test_no_reply_breaks_it(reply: str, sender: str) -> None:
    found = BUILT_IN.meaning(reply, sender)
    assert found is None or found[1]


@given(word=st.sampled_from(WORDS_THAT_STOP), more=st.sampled_from(["by the shop", "wars", "motion", "xyzzy"]))
def test_a_word_inside_of_a_sentence_is_no_opt_out(word: str, more: str) -> None:
    for reply in (f"{word} {more}", f"{more} {word}"):
        assert (BUILT_IN.meaning(reply) or [None])[0] is not Meaning.STOP, reply


@given(text=anything)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(text) == normalised(normalised(text))


def test_no_built_in_word_is_lost_in_normalising() -> None:
    for word in WORDS_THAT_STOP + WORDS_THAT_START:
        assert normalised(word), word


def test_every_built_in_word_stands_once_in_its_language() -> None:
    rows = [(row["language"], row["meaning"], normalised(row["word"])) for row in ROWS]
    assert len(rows) == len(set(rows))


def test_own_words_take_the_place_of_the_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("\ufefflanguage,meaning,word\nzh,stop,T\nen, STOP , “Ciao”\n\nen,start,ok\n", encoding="utf-8")
    words = read_words(path)
    assert (Meaning.STOP, "t") == words.meaning("T")
    assert (Meaning.STOP, "ciao") == words.meaning("ciao!")
    assert (Meaning.START, "ok") == words.meaning("OK")
    assert words.meaning("stop") is None


def test_the_language_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("word,meaning\nhalt,stop\n", encoding="utf-8")
    assert (Meaning.STOP, "halt") == read_words(path).meaning("Halt!")


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    rows = 'language,meaning,word\nen,stop,halt\nen,"\nhalt",x\nen,start,HALT\nen,stop,!!\nen,stop\n'
    path.write_text(rows, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_words(path)
    problems = caught.value.problems
    assert [4, 5, 6, 7] == [problem.where.line for problem in problems if problem.where]
    assert all(problem.remedy for problem in problems)
    assert 'the meaning "halt" is invalid' == problems[0].what
    assert '"HALT" means both stop and start' == problems[1].what


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no column meaning and word"),
        (b"language;meaning;word\nen;stop;halt\n", "has no column meaning and word"),
        (b"language,meaning,word\n", "has no word with the meaning stop"),
        (b"language,meaning,word\nen,start,go\n", "has no word with the meaning stop"),
        ("language,meaning,word\nfr,stop,arrêt\n".encode("latin-1"), "not a CSV file in UTF-8"),
        ("language,meaning,word\nen,stop,halt\n".encode("utf-16"), "not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "words.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_words(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.csv can't be read: No such file"):
        read_words(tmp_path / "no.csv")


def test_no_word_means_both() -> None:
    assert not {*map(normalised, WORDS_THAT_STOP)} & {*map(normalised, WORDS_THAT_START)}


@pytest.mark.parametrize(
    "reply",
    [
        "ЅТОР",
        "SТOP",
        "ЅТОР please",
        "SΤΟΡ",
        "ꜱᴛᴏᴘ",
        "🅢🅣🅞🅟",
        "St0p",
        "S\u200bT\u200bO\u200bP",
        "ＳＴＯＰ！😡",
    ],
)
def test_letters_that_look_like_a_word_are_that_word(reply: str) -> None:
    assert (Meaning.STOP, "stop") == BUILT_IN.meaning(reply)


def test_a_word_of_another_script_may_be_written_in_latin_letters() -> None:
    assert (Meaning.STOP, "стоп") == BUILT_IN.meaning("CTOП")


def test_no_two_words_with_different_meanings_look_alike() -> None:
    for word, meaning in BUILT_IN.meanings.items():
        assert (meaning, word) == BUILT_IN.meaning(word)
        found = BUILT_IN.meaning(word.upper())
        assert found is None or found[0] is meaning


def test_the_phrase_that_decides_is_told() -> None:
    assert (Meaning.STOP, "do not send") == BUILT_IN.meaning("Do not send me any more texts")
    assert (Meaning.STOP, "stop") == BUILT_IN.meaning("I want to stop these texts")
    assert (Meaning.REVIEW, "do not send") == BUILT_IN.meaning("Do not send me messages at night")


def test_each_phrase_of_a_sentence_has_a_part() -> None:
    lines = BUILT_IN_FILE.with_name("stop_phrases.csv").read_text(encoding="utf-8").splitlines()
    for name, *phrases in csv.reader(lines):
        assert Part[name.upper()] not in (Part.STOP, Part.START), name
        assert all(normalised(phrase) for phrase in phrases), phrases
