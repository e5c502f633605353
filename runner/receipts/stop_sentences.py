"""Sentences that ask to opt out: "please stop sending me these messages", "I want to opt out". Pure.

A sentence is read as a row of parts, each a known phrase or an unknown word. It asks to opt out if it contains a stop
word, and every other part only says who asks ("I want to"), what is to end ("sending me messages") or since when ("from
now on"). One unknown word is enough to leave it to a person: "stop by the shop", "when does the sale stop".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain


class Part(StrEnum):
    """A part of a sentence: one letter each, so that a pattern can describe sentences."""

    STOP = "s"
    AMBIGUOUS = "a"  # a stop word that also answers other questions: "cancel", "end"
    START = "t"
    WISH = "w"  # stands before a stop word
    PERSON = "i"  # stands before or after a stop word
    MESSAGES = "m"  # what is to end
    REST = "o"  # stands after a stop word
    COURTESY = "c"  # stands anywhere
    RECEIVING = "g"  # stands after a stop word, or after a wish to end
    NEVER = "n"  # ends messages ("don't text me"), or turns a stop word into its opposite ("don't stop")
    UNWANTED = "u"  # ends messages
    NOT = "l"  # leaves open what is meant: "no stop"
    CANNOT_STOP = "k"  # "can't stop laughing", but also "can't stop these texts"
    HINT = "h"  # may be meant as an opt-out
    OTHER = "?"


# The phrases of each part, a line for each language. Texts in other languages hold English words too, so the languages
# aren't kept apart.
_PHRASES: Mapping[Part, tuple[str, ...]] = {
    Part.WISH: (
        "i want to|i want you to|i want|want to|wants to|wanna|i wanna|i'd like to|i'd like you to|i would like to"
        "|i would like you to|i'd like|i would like|like to|i wish to|i need to|i need you to|i need|i have to|i must"
        "|i am asking you to|i'm asking you to|i ask you to|i asked you to|i have asked you to|i've asked you to"
        "|i told you to|i have told you to|i said|i say|i request to|i request you to|i request that you|i request"
        "|requesting to|request to|i demand that you|i demand you|i demand|i beg you to|i beg you|i am trying to"
        "|i'm trying to|trying to|i choose to|i have decided to|i decided to|i hereby|hereby|let me|we want to|we want"
        "|we would like to|we'd like to|we need to|want|need|wish to|can you|could you|would you|will you|can u|could u"
        "|would you mind|can i|could i|may i|can we|could we|you must|you should|you need to|you have to|u need to|must"
        "|should|just|really|again|once again|once more|for the last time|last time|final warning|last warning|hey|yo"
        "|omg|wtf|ffs|dear|good morning|good day|good afternoon|good evening|hello there|then|so|also|and|but|if possible"
        "|immediately|do",
        "saya mau|saya ingin|saya minta|mohon|minta|ingin|mau|aku mau|bisa|sudah|udah|boleh|dong|nak|saya nak|sila",
        "ช่วย|กรุณา|ขอให้|ขอ|โปรด|รบกวน|อยาก|ฉันต้องการ|ฉันอยาก|ผมต้องการ|ต้องการ|ได้โปรด",
        "tôi muốn|tôi|làm ơn|vui lòng|hãy|toi muon|mình muốn|muốn|vui long|lam on",
        "gusto ko|gusto kong|pakiusap|paki|pwede|puwede|pwede bang|gusto",
        "我想|我要|我想要|麻烦|麻煩|能不能|能否|可以|請幫我|请帮我|请你|請你|请您|請您|立即|马上|馬上|立刻|给我|給我|帮我|幫我|我",
        "どうか|を|の|は|が|に|で|も|もう|今すぐ|すぐに|これ以上|二度と|私に",
        "제발|좀|이제|더 이상|더이상|다시는|당장|앞으로",
        "कृपया|मुझे|मेरे|kripya|mujhe|mere|plz|अब|ab",
        "দয়া করে|আমাকে|আর|doya kore|amake|தயவு செய்து|தயவுசெய்து|எனக்கு|enakku|இனி|inimel|කරුණාකර|මට|សូម|ကျေးဇူးပြု၍",
        "quiero|quisiera|deseo|necesito|me gustaría|me gustaria|les pido que|le pido que|pido que|favor de|ya|solicito"
        "|exijo|pueden|puede|podrían|podrian|y|que",
        "quero|gostaria de|desejo|preciso|peço que|favor|já|podem|pode|eu",
        "je veux|je voudrais|je souhaite|je désire|je desire|j'aimerais|veuillez|merci de|pouvez vous|je vous prie de"
        "|je demande à|je|vous pouvez|et",
        "ich möchte|ich moechte|ich will|ich wünsche|können sie|koennen sie|könnt ihr|ich möchte mich|ich will mich"
        "|möchte|ich bitte sie|ich bitte um|ich|sofort|und",
        "voglio|vorrei|desidero|potete|può|vi prego di|chiedo di|chiedo|e",
        "ik wil|ik wil graag|ik zou graag|kunt u|kun je|wilt u|wil je|graag|en|stuur|stuur mij|stuur me|gelieve",
        "chcę|chce|chciałbym|chciałabym|proszę o|prosze|prosze o|natychmiast|i",
        "jag vill|vänligen|snälla|kan ni|jag|jeg vil|venligst|vennligst|kan i|kan dere|jeg|og",
        "haluan|olkaa hyvä|olkaa hyvät|voitteko|ole hyvä|minä",
        "θέλω να|θέλω|παρακαλώ|σας παρακαλώ|μπορείτε να|θα ήθελα να|επιτέλους",
        "я хочу|хочу|прошу|прошу вас|мне|больше|мені|больше никогда|немедленно|будь ласка|більше|я",
        "artık|artik|bana|bir daha|lütfen bana|lutfen|daha fazla|hemen",
        "رجاء|رجاءا|الرجاء|أرجو|ارجو|ارجوكم|أريد|اريد|بليز|لو سمحت|لو سمحتم|أرجوكم|من فضلكم",
        "בבקשה|אני רוצה|אני מבקש|אני מבקשת|נא|אנא|מבקש",
        "لطفا|لطفاً|خواهش میکنم|خواهشا|دیگر|دیگه",
    ),
    Part.PERSON: ("i|we|me|myself|us",),
    Part.MESSAGES: (
        "text|texts|texting|txt|txts|txting|message|messages|messaging|msg|msgs|msging|sms|smses|send|sends|sending"
        "|contact|contacts|contacting|spam|spamming|bother|bothering|disturb|disturbing|pester|pestering|harassing|harass"
        "|annoying|bombarding|notification|notifications|notifying|alert|alerts|reminder|reminders|newsletter"
        "|newsletters|communication|communications|subscription|subscriptions|ad|ads|advert|adverts|advertisement"
        "|advertisements|advertising|promotion|promotions|promos|promo|offers|deals|updates|emails|emailing|mails|marketing"
        "|be contacted|be texted|be messaged|be bothered|being contacted|being texted|being messaged|hear from|mass texts"
        "|hearing from|text messages|text message|texts messages|text reminders|mesages|number|numbers|phone number|cell number|mobile number|list|lists|mailing list|contact list|call list|phone list|marketing list|database|data base",
        "kirim|pesan|mengirim|menghubungi|hubungi|promosi|iklan|langganan|hantar|mesej|menghantar|smsnya|spam lagi",
        "ส่ง|ข้อความ|รับข้อความ|ส่งข้อความ|โฆษณา|ติดต่อ|โปรโมชั่น|โปรโมชัน",
        "tin nhắn|nhắn tin|nhắn|gửi|tin|quảng cáo|gửi tin nhắn|gửi tin|liên lạc|làm phiền|nhan tin|tin nhan|gui",
        "mag text|magtext|mag send|magsend|pagpapadala|pag text|pagte text|mensahe|padala",
        "发|发送|短信|信息|消息|广告|发短信|发信息|推送|营销短信|垃圾短信|联系|骚扰|接收|订阅|發|發送|傳送|短訊|簡訊|訊息|廣告|傳|聯絡|垃圾訊息|接收|訂閱"
        "|骚扰短信|服务|服務",
        "メッセージ|メール|配信|送信|ショートメール|広告|連絡|お知らせ|通知|登録|購読|sms|宣伝",
        "문자|문자를|메시지|메시지를|메세지|메세지를|메시지는|문자는|광고|광고를|광고문자|광고 문자|연락|스팸|발송|수신|구독|보내는|보내는거|보내는 거",
        "मैसेज|संदेश|एसएमएस|मेसेज|भेजना|message bhejna|msg bhejna|bhejna|sandesh|sms bhejna|মেসেজ|এসএমএস|পাঠানো|বার্তা|message pathano",
        "செய்தி|செய்திகள்|குறுஞ்செய்தி|மெசேஜ்|எஸ்எம்எஸ்|පණිවිඩ|එවීම|សារ|ផ្ញើសារ|ផ្ញើ|စာ|မက်ဆေ့ချ်|စာပို့",
        "mensajes|mensaje|mensajitos|textos|enviar|enviarme|mandar|mandarme|escribirme|escribir|publicidad|promociones"
        "|contactarme|molestar|molestarme|suscripción|suscripcion|notificaciones|mensajería|enviando|mandando|envíen|manden"
        "|recibir|recibirlos|anuncios|spam",
        "mensagens|mensagem|torpedos|enviar|mandar|propaganda|propagandas|promoções|contatar|receber|enviando|mandando",
        "messages|message|envoyer|m'envoyer|envoyer des|d'envoyer|m'écrire|contacter|me contacter|recevoir|publicité"
        "|publicités|pub|pubs|d'envoi|envois|envoi|m'importuner|abonnement|harceler|me harceler|de m'envoyer|textos",
        "nachrichten|nachricht|schicken|zu schicken|senden|zu senden|schreiben|zu schreiben|kontaktieren|werbung|erhalten"
        "|bekommen|newsletter|belästigen|zu belästigen|zuzusenden|zusenden|werbe sms|abo|smsen|mitteilungen",
        "messaggi|messaggio|inviare|inviarmi|di inviare|mandare|mandarmi|scrivermi|contattarmi|pubblicità|ricevere|inviate"
        "|disturbare|promozioni|messaggini|iscrizione",
        "berichten|bericht|sturen|te sturen|het sturen|sms'en|reclame|contact op te nemen|ontvangen|sms'jes|smsjes",
        "wiadomości|wiadomosci|smsy|smsów|smsow|wysyłać|wysyłania|wysylac|wysyłanie|pisać|reklam|reklamy|otrzymywać|spamu",
        "meddelanden|meddelande|skicka|skicka sms|reklam|kontakta|beskeder|at sende|sende|sms'er|meldinger|melding|å sende"
        "|reklame|smser|få|modtage|motta|meddelelser",
        "viestejä|viestien|viestit|lähettäminen|lähettämästä|lähettämistä|tekstiviestejä|mainoksia|mainosten|lähettää|viestien lähettäminen",
        "μηνύματα|μήνυμα|μου στέλνετε|στέλνετε|να στέλνετε|διαφημίσεις|διαφημιστικά|αποστολή|να λαμβάνω|με ενοχλείτε",
        "сообщения|сообщений|смс|смски|смсок|рассылку|рассылки|рассылка|рассылок|присылать|отправлять|слать|писать|рекламу"
        "|реклама|рекламы|получать|спам|спамить|уведомления|повідомлення|повідомлень|надсилати|надсилання|розсилку|розсилки"
        "|писати|отримувати|шмс|ваши сообщения|сообщение",
        "mesaj|aboneliğimi|aboneligimi|aboneliği|abonelik|üyeliğimi|mesajları|mesajlari|mesajlar|mesajlarınızı|mesaj göndermeyi|göndermeyi|mesaj atmayı|reklam|sms almak|mesaj almak",
        "رسائل|رسالة|الرسائل|رسايل|ارسال|إرسال|إرسال الرسائل|ارسال الرسائل|الاعلانات|الإعلانات|اعلانات|إعلانات|مراسلتي|ازعاجي|إزعاجي"
        "|الاشتراك|اشتراكي|دعاية|مسج|مسجات",
        "רשימה|הודעות|לשלוח|לשלוח לי|סמסים|פרסומות|פרסום|דיוור|מסרונים",
        "پیام|پیامک|پیام‌ها|تبلیغات|تبلیغاتی|اشتراک",
    ),
    Part.REST: (
        "my|mine|this|that|these|those|the|your|yours|ur|you|u|you guys|you people|from|frm|frm ur|to|on|of|off|at all|any|all|every"
        "|everything|it|our|phone|cell|mobile|cellphone|cell phone|system|any more"
        "|anymore|ever|ever again|forever|right now|right away|asap|at once|today|already|for good|with|for|or|too|as well"
        "|both|everyday|every day|daily|all the time|constantly|unsolicited|unwanted|stupid|damn|bloody|fucking|freaking"
        "|promotional|commercial|automated|in the future|in future|further|future|more|no longer|via|by text|via text"
        "|by sms|via sms|calling|calls|call|consent|permission|data|company|business|store|shop|brand|of yours|kind of"
        "|type of|kinds of|such|nonsense|crap|shit|bullshit|rubbish|garbage|junk|a|an|out|from now on|effective immediately"
        "|with immediate effect|on this number|at this number|here|there|guys|people|man|bro|dude|mate|will you|would you"
        "|could you|ok|thank u|much appreciated|as of today|as of now|at this time",
        "saya|lagi|ke|nomor|nomor ini|nomor saya|ini|dari|ya|semua|aku|kepada|kirimi|kami|nombor|nombor ini|nombor saya"
        "|daripada|dari senarai|senarai|kpd|pun|dah|lah|je|itu|sms ini|yang",
        "มา|การ|ที่|อีก|ให้|แล้ว|นะ|นะครับ|นะคะ|คะ|ครับผม|เบอร์นี้|เบอร์|มาอีก|ฉัน|ผม|หา|ทุก|ได้แล้ว|ได้ไหม|ด้วย|จาก|คุณ|ทั้งหมด|มาที่",
        "cho tôi|nữa|cho|tôi|số này|từ|đến|này|đi|giùm|dùm|giúp|nhé|ạ|vào|quảng cáo này|cho toi|nua|cho số này|của tôi",
        "sa akin|na|ako|niyo|nyo|ninyo|mo|ang|sa|ng|kayo|ito|sakin|number ko|ko|akin|please naman|naman|pagtetext|pagsend",
        "给|我|了|给我|再|吧|谢谢|的|这个|号码|啦|啊|呀|好吗|任何|这些|你们|你们的|此|所有|我的|我的号码|不要|給|這個|號碼|好嗎|這些|你們|你們的|我的號碼|唔該|畀|俾我|來|来|過來|过来",
        "を|して|してください|してほしい|ください|下さい|の|お願い|お願いします|お願い致します|ね|よ|に|は|が|この|番号|もう|したい|したいです|します|希望|希望します|"
        "こちら|から|くださいませ|頂けますか|いただけますか|ませんか|このメール|すべて|全て|です|で|と|くれ|て|へ|私|これ",
        "저에게|저한테|나한테|이|번호|번호로|요|해주세요|해 주세요|부탁드립니다|부탁해요|부탁합니다|주세요|하세요|합니다|해요|바랍니다|안|더|요청|요청합니다|신청|신청합니다|처리|처리해주세요|제|번호는|이번호로",
        "को|पर|यह|ये|और|इस|नंबर|नम्बर|से|का|की|के|करना|kar|do|please|ye|yeh|is|number par|par|ko|aur|se|ji|sab|अपने|आप|भाई|bhai|yaar"
        "|এই|নম্বরে|করুন|করে|দিন|korun|இந்த|எண்ணுக்கு|எண்|மேலும்|நம்பர்|நம்பருக்கு|மற்றும்|මේ|අංකයට|තව|ทៀត|មក|ខ្ញុំ|ទៀត|មកខ្ញុំ|လူ|ထပ်|ကျွန်တော့်ကို",
        "de|la|lista|el|los|las|este|esta|estos|estas|número|numero|mi|me|más|mas|por|a|al|su|sus|del|esto|eso|tantos"
        "|tanta|nunca|jamás|más nunca|otra vez|ya no|no|se|lo|favor|texto|ningún|ninguna|inmediatamente|ahora|mismo|en|un",
        "o|os|as|da|do|das|dos|meu|minha|mais|para|pra|mim|esse|esses|essas|essa|este|suas|seus|vocês|voces|nunca mais"
        "|número|numero|celular|telefone|por favor|nenhuma|imediatamente|essas porcarias|desta|dessa|deste",
        "le|les|des|de|du|vos|votre|ces|ce|cette|mon|ma|à|a|moi|sur|liste|plus|svp|numéro|numero|tout|jamais|toute|cet|l"
        "|immédiatement|pas|vous|la|aucun|aucune|à ce|s'il te plaît|merci d'avance",
        "mir|mich|an|diese|dieser|dieses|die|der|das|den|von|vom|aus|ihrer|eurer|ihren|euren|liste|verteiler|mehr|weitere"
        "|weiteren|keine|nummer|meine|auf|ab|ein für alle mal|jetzt|für immer|bitte danke|sie|zu|mit|ihre|eure|dem|nie wieder"
        "|mehr bitte|solche|solchen|so|viele|abmeldung|handynummer|telefonnummer",
        "i|gli|la|lo|il|di|da|dalla|dal|vostra|vostri|questi|questo|questa|mio|mi|più|piu|a|lista|subito|numero|per favore|miei|su"
        "|altri|nessun|altre|mai|l'invio|con",
        "mij|me|van|de|het|deze|dit|lijst|uit|meer|uw|jullie|naar|alstublieft|aub|svp|nummer|mijn|onmiddellijk|met|geen|die|te",
        "do|mnie|mi|z|tej|listy|mój|moj|numer|numeru|na|ten|już|juz|więcej|wiecej|tych|żadnych|zadnych|od|was|te|bazy|mojego|mojego numeru|nigdy",
        "mig|till|från|den|här|listan|fler|nummer|mitt|er|era|omedelbart|med|att|til|fra|denne|listen|flere|jeres|meg|dette|denne listen|disse|de|dere|ikke mer|mere|mer|nu|nå",
        "minulle|minut|tästä|listalta|numero|numeroon|enää|tähän|näitä|teiltä|nämä|tämä|heti|kiitos|minua",
        "μου|με|από|τη|την|λίστα|το|νούμερο|αυτό|άλλα|πια|άλλο|τα|σας|να|στο|τον|κινητό|ξανά|αμέσως|λίστα σας",
        "меня|из|от|с|со|этот|эти|номер|мой|мне|больше|на|ваш|ваши|вашей|свои|базы|списка|никогда|пожалуйста|мені|мене|з|цей|ці|більше|від|ваші|вашу|бази|свою|эту|это|реклама|мой номер|моего номера|всё|все|уже|сюда|этот номер|і|и|в|у",
        "beni|benim|bu|numaraya|numaramı|numaradan|listenizden|listeden|lütfen|artık|artik|bir daha|daha|bana|tüm|hiç|sizden|ve|edin|ediniz|rica ederim|etmek|istiyorum|almak|hiçbir|numara",
        "لي|لى|عن|من|هذه|هذا|الرقم|رقمي|قائمتكم|القائمة|بعد|الآن|الان|تاني|مرة|أخرى|اخرى|مرة أخرى|مرة اخرى|لكم|الي|إلي|على|هالرقم|نهائيا|في|أي|اي|ثانية|خلاص",
        "לי|אותי|יותר|את|של|מהרשימה|המספר|שלי|מרשימת|מרשימת התפוצה|התפוצה|תודה|למספר|הזה|ממני|כבר|אליי|אלי",
        "برای من|برایم|دیگر|به|این|شماره|من|از|لیست|را|رو|دیگه",
    ),
    Part.RECEIVING: ("receive|receiving|to receive|get|getting|to get|be|to be|hear|hearing|be sent|being sent|have|having",),
    Part.NEVER: ("don't|do not|dont|never|never ever|don't ever|do not ever|don't you dare|don't you ever|donot|dnt|jangan",),
    Part.UNWANTED: (
        "no further|no more of|i don't want|i do not want|i dont want|i don't wish|i do not wish|i dont wish|i no longer want"
        "|i no longer wish|i'd rather not|i would rather not|i would prefer not|i never want|no longer want|no longer wish"
        "|don't want|do not want|dont want|don't need|do not need|dont need|i don't need|i do not need|i dont need"
        "|i don't like|i do not like|i don't consent|i do not consent|we don't want|we do not want|not want|don't wish"
        "|do not wish|no longer interested in|not interested in|i'm not interested in|i am not interested in|im not interested in|no longer need|i no longer need",
    ),
    Part.NOT: (
        "not|no|didn't|didnt|isn't|doesn't|without|tidak|tak|bukan|belum|อย่า|ไม่|đừng|không|khong|dung|huwag|wag|hindi|不|别|別|勿|没|沒|ない|지마|안돼"
        "|não|nao|ne|pas|nicht|non|niet|nie|inte|ikke|älä|älkää|ei|μη|μην|δεν|не|değil|لا|ما|לא|אל|نه|मत|नहीं|না|sin|sem|sans|ohne|senza|zonder|bez|без",
    ),
    Part.CANNOT_STOP: tuple(
        f"{verb} {word}"
        for verb in ("can't", "cannot", "can not", "couldn't", "could not", "won't", "wouldn't", "never could")
        for word in ("stop", "quit", "stop it")
    ),
    Part.HINT: (
        "wrong number|wrong person|not interested|no longer interested|spam|scam|spammer|spammers|harassment|harassing"
        "|harass|stops|stopped|stopping|stp|sotp|stpo|unsubscribed|unsubscribing|unsubscription|opted out|opting out"
        "|removed|cancelled|canceled|cancelling|canceling|remove|quitting|enough|fuck off|piss off|get lost|shut up|f off"
        "|reply stop|reply with stop|text stop|txt stop|send stop|stop to|no more|blocked|block you|blocking|report you|reported|reporting you|sue you|lawyer|attorney|tcpa|fcc|gdpr|pdpa"
        "|dnc|dnd|do not call|don't call|dont call|do not disturb|never signed up|didn't sign up|did not sign up|never subscribed"
        "|did not subscribe|didn't subscribe|never asked for|didn't ask for|did not ask for|never agreed|did not consent|illegal"
        "|who gave you|how did you get|lose this number|doesn't want|died|deceased|passed away|no longer his|no longer her"
        "|not my number|no longer my|complaint|complain|regulator|data protection|my consent",
        "salah nomor|nomor salah|salah nombor|nombor salah|sai số|nhầm số|打错了|打錯了|发错|發錯|号码错误|間違い|번호가 틀|잘못 보냈|잘못 보내|스팸"
        "|número equivocado|numero equivocado|número errado|numero errado|mauvais numéro|faux numéro|falsche nummer|numero sbagliato"
        "|verkeerd nummer|fel nummer|forkert nummer|feil nummer|väärä numero|λάθος αριθμός|не тот номер|ошиблись номером|yanlış numara"
        "|رقم خطأ|מספר שגוי|मैं नहीं|गलत नंबर|galat number",
    ),
    Part.OTHER: ("stop by|stopping by|stopped by|बंद मत|band mat",),
}  # fmt: skip

# The part of a phrase that is in the lists of two parts, in one language or in two.
_BOTH = {
    (Part.WISH, Part.PERSON): Part.PERSON,
    (Part.WISH, Part.REST): Part.PERSON,
    (Part.PERSON, Part.REST): Part.PERSON,
    (Part.MESSAGES, Part.REST): Part.MESSAGES,
}

# Scripts that put no blanks between words: Thai, Lao, Burmese, Khmer, kana and Chinese characters.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^ {_UNSPACED}]+|[{_UNSPACED}]")
# The last character of a word.
_BOUNDARY = re.compile(rf"[{_UNSPACED}]|.(?=[ {_UNSPACED}]|$)")

# A sentence that asks to opt out: with a stop word, or with what ends messages and messages.
_ASKS = re.compile(r"[wim]*s[swiomga]*|(?=.*[ms])[wim]*a[swiomga]*|w*n[wio]*m[wiomsnga]*|[wi]*u[wiog]*m[wiomsuga]*")
_ASKS_ALONE = re.compile("[wi]*a+")
_OPPOSITE = re.compile(r"[nu][wi]*[sa]|k(?![om])")
_MAY_ASK = re.compile("[sahk]")


class Sentence(StrEnum):
    """What a sentence of a reply says."""

    EMPTY = "empty"  # or only courtesies
    STOP = "stop"
    STOP_ALONE = "stop alone"  # asks to opt out, unless other sentences are about something else
    START = "start"
    OPPOSITE = "opposite"  # "don't stop"
    IN_DOUBT = "in doubt"
    OTHER = "other"


class SentenceReader:
    """Reads sentences. `words` are more phrases with their part: stop and start words, and courtesies.

    `form` gives texts the form in which they are compared.
    """

    def __init__(self, words: Mapping[str, Part], form: Callable[[str], str]) -> None:
        self._form = form
        known: dict[str, Part] = {}
        for part, lines in _PHRASES.items():
            for phrase in map(form, chain.from_iterable(map(_variants, lines))):
                known[phrase] = _BOTH.get((known.get(phrase, part), part), part)
        known |= {form(word): part for word, part in words.items()}
        # By their first word, or first character of a script without blanks; the longest first.
        self._known: dict[str, list[tuple[str, Part]]] = {}
        for phrase, part in sorted(known.items(), key=lambda each: -len(each[0])):
            if first := _WORD.match(phrase):
                self._known.setdefault(first[0], []).append((phrase, part))

    def read(self, sentence: str) -> tuple[Sentence, str]:
        """What a sentence says, and the phrase that decides, or ""."""
        parts = [each for each in self._parts(self._form(sentence)) if each[0] is not Part.COURTESY]
        letters = "".join(part for part, _ in parts)
        if not letters.strip("t"):
            return (Sentence.START, parts[0][1]) if letters else (Sentence.EMPTY, "")
        if _ASKS.fullmatch(letters):
            return Sentence.STOP, _first(parts, "sanu")
        if _ASKS_ALONE.fullmatch(letters):
            return Sentence.STOP_ALONE, _first(parts, "a")
        without = _OPPOSITE.sub("", letters)
        if _MAY_ASK.search(without):
            return Sentence.IN_DOUBT, _first(parts, "sahk")
        return (Sentence.OTHER if without == letters else Sentence.OPPOSITE), ""

    def _parts(self, text: str) -> Iterator[tuple[Part, str]]:
        place = 0
        while word := _WORD.search(text, place):
            start = word.start()
            for phrase, part in self._known.get(word[0], ()):
                place = start + len(phrase)
                if text.startswith(phrase, start) and _BOUNDARY.match(text, place - 1):
                    yield part, phrase
                    break
            else:
                place = word.end()
                yield Part.OTHER, word[0]


def _first(parts: Sequence[tuple[Part, str]], letters: str) -> str:
    return next(phrase for part, phrase in parts if part in letters)


def _variants(line: str) -> Iterator[str]:
    """The phrases of a line, also without apostrophes: "dont" for "don't"."""
    for phrase in line.split("|"):
        yield phrase
        yield phrase.replace("'", "")
