"""Small talk: a turn made of greetings, thanks, farewells and acknowledgements needs nothing looked up.

It knows English, German, Spanish, French and Chinese phrases by heart, and no grammar. Anything it cannot account for,
to the last word, retrieves: a needless search costs milliseconds, a swallowed question costs the answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.roles import Gate
from bowerbird.types import Decision, Turn

__all__ = ["SmallTalk"]

_HELP = (
    r"(?:(?:your|the|that|this|all|of|so|such|very|quick|great|helpful|kind|detailed|useful|fast|clear) )*"
    r"(?:help|helping|assist|assistance|answers?|response|reply|information|info|support|time|advice|explanation|clarification|tips?|"
    r"patience|work|chat|everything|that|this|(?:helping|talking to|chatting with|assisting) me)(?: me| out)?"
)
_NICE = r"(?:nice|good|great|lovely|wonderful|pleasant|fantastic|fine)"

# Regular expressions over words without case, accents, apostrophes and punctuation; Chinese phrases may touch one another.
_PHRASES: Mapping[str, Sequence[str]] = {
    "greeting": (
        r"hi|hiya|hey|heya|heyo|hello|hullo|howdy|yo|greetings|ahoy|gday|welcome back|long time no see",
        r"(?:good )?morning|good (?:afternoon|evening|day)",
        rf"(?:its |it is )?(?:{_NICE}|pleased|a pleasure) to (?:meet|see) you",
        r"how (?:are|r) (?:you|u|ya|things)(?: all)?(?: doing| feeling| going| treating you)?(?: with you)?",
        r"(?:hows|how is) (?:it (?:going|been)|(?:everything|life|your day)(?: going| been)?)(?: for you)?(?: so far)?",
        r"how (?:do you do|have you been(?: doing)?|you doing|you doin|ya doin|ya doing)|whats up|what is up|wassup|sup",
        r"are you (?:there|doing (?:ok|okay|well|alright))|i? ?hope (?:you are|youre|all is) (?:doing )?(?:well|good|fine)",
        r"hallo|hallochen|moin|servus|gruss (?:gott|dich)|gruezi",
        r"guten (?:morgen|tag|abend)|wie (?:gehts|geht es)(?: dir| ihnen| euch)?",
        r"hola|buenas|buen dia|buenos dias|buenas (?:tardes|noches)",
        r"que tal(?: estas)?|como (?:estas|esta usted|te va|va todo|va)|mucho gusto",
        r"bonjour|bonsoir|salut|coucou|allo|(?:comment )?ca va|comment (?:allez vous|vas tu|tu vas|vous allez)|enchantee?",
        r"(?:你好|您好|你们好|大家好|嗨|哈喽|喂|早安|早上好|上午好|中午好|下午好|晚上好|在吗|在么|你好吗|你好嗎|最近怎么样|很高兴认识你)",
    ),
    "thanks": (
        r"(?:many |much )?(?:thanks|thank (?:you|u|ya)|thankyou|thx|thnx|tnx|ty|tysm|cheers)"
        rf"(?: so much| very much| ever so much| a (?:lot|bunch|million|ton)| again| in advance| kindly)*(?: for {_HELP})?",
        rf"(?:i )?(?:really |truly |do |very much |so |greatly )*appreciate (?:it|{_HELP})(?: a lot| very much| so much)?",
        r"i thank you|much (?:obliged|appreciated)|(?:its |thats |that is )?(?:very |so )?kind of you",
        r"(?:that|this|it|you) (?:was|is|were|are|has been|have been) (?:very |really |so |super |most |extremely |a )*"
        r"(?:helpful|useful|kind|great|big help|great help|of great help)",
        r"(?:that|this) (?:helps|helped)(?: a lot| me| so much)*",
        r"(?:youre|you are) (?:the best|awesome|amazing|great|brilliant|a (?:lifesaver|star|legend|gem)|very kind|very welcome|welcome)",
        r"no (?:problem|worries)|np|my pleasure|dont mention it",
        r"(?:vielen|herzlichen|besten|tausend|lieben) dank",
        r"danke(?: schon| dir| ihnen| euch| sehr| vielmals)*|dankeschon|ich danke (?:dir|ihnen|euch)",
        r"(?:fur|fuer) (?:alles|(?:die|deine|ihre|eure) (?:hilfe|antwort|unterstutzung|auskunft|infos?|informationen|erklarung|muhe))",
        r"das (?:war|ist|hat) (?:sehr |wirklich |mir )*(?:hilfreich|nett|lieb|super|toll|geholfen)",
        r"gern geschehen|bitte (?:schon|sehr)|keine ursache",
        r"(?:muchas |muchisimas |mil )?gracias"
        r"(?: por (?:todo|(?:todo |toda )?(?:la |tu |su )?(?:ayuda|respuesta|informacion|apoyo|tiempo|explicacion)))?",
        r"(?:te|se) lo agradezco|(?:eres |es )?muy amable|que amable|de nada",
        r"(?:mille |un grand )?mercis?(?: beaucoup| bien| infiniment| encore| a (?:toi|vous|tous))*"
        r"(?: pour (?:tout|laide|(?:votre|ton|ta|la|les|vos|cette) (?:aide|reponses?|informations?|temps|explications?)))?",
        r"je (?:te|vous) remercie|cest (?:tres |vraiment )?(?:gentil|aimable|sympa)|de rien|je (?:vous|ten) (?:en )?prie",
        r"(?:谢谢|謝謝|谢谢你|谢谢您|謝謝你|谢啦|谢了|多谢|多謝|感谢|感謝|谢谢你的帮助|谢谢您的帮助|你的帮助|您的帮助|辛苦了|辛苦你了|不客气|不用谢|没关系|没事)",
    ),
    "farewell": (
        r"bye(?: bye| now| then)?|byebye|good ?bye|good ?night|night night",
        r"farewell|cya|cheerio|ciao|so long|take care|take it easy|ttyl|gtg",
        r"see (?:you|ya|u)(?: (?:later|soon|around|tomorrow|then|again|next time|next week))*",
        r"catch you later|laters?|until (?:next time|then|later)",
        r"(?:ill |i will )?(?:talk|speak|chat) (?:(?:to|with) (?:you|ya) )?(?:later|soon|tomorrow|again)(?: soon)?",
        rf"have an? {_NICE} (?:day|evening|night|weekend|one|afternoon|time|week)(?: ahead)?|enjoy your (?:day|evening|weekend)",
        r"i (?:have|need|ve got|got) to (?:go|leave|run|say goodbye)",
        r"i?(?:ve)? ?gotta (?:go|run)|i(?:m| am) (?:off|leaving|done|all set|good)",
        rf"(?:it was |it has been )?(?:{_NICE}|a pleasure) (?:talking|chatting|speaking|to talk|to chat|to speak)(?: (?:to|with) you)?",
        r"(?:thats|that is|that will be|thatll be|that would be) (?:all|it|everything)(?: i (?:need|needed|wanted|have))?",
        r"tschuss|tschau|auf (?:wiedersehen|wiederhoren)",
        r"bis (?:bald|spater|dann|morgen|nachste woche|zum nachsten mal)|gute nacht|machs gut",
        r"(?:(?:ich )?wunsche (?:dir|ihnen|euch) )?(?:noch )?(?:einen |ein )?schone[ns] (?:tag|abend|feierabend|wochenende)(?: noch)?",
        r"adios|hasta (?:luego|pronto|manana|la vista|la proxima)|nos vemos",
        r"chao|chau|cuidate|buen fin de semana|hablamos (?:luego|pronto)",
        r"que tengas? (?:un |una )?(?:buen|buena|lindo|linda) (?:dia|tarde|noche|fin de semana)",
        r"au revoir|a (?:bientot|plus|plus tard|demain|la prochaine)",
        r"bonne (?:journee|soiree|nuit|apres midi|continuation)|bon (?:weekend|week end)",
        r"(?:再见|再見|再会|拜拜|回头见|明天见|下次见|晚安|保重)",
    ),
    "acknowledgement": (
        r"ok|okay|okey|okie|oki|okey dokey|k|kk|alright|all right|fine|cool",
        r"great|nice|perfect|awesome|excellent|wonderful|fantastic|brilliant",
        r"amazing|good|super|sweet|neat|wow|splendid|interesting|noted|gotcha",
        r"roger that|understood|(?:i )?got it|i (?:see|understand|get it)",
        r"(?:that |it )?makes sense|(?:that |it )?sounds (?:good|great)|good to know",
        r"(?:good|great|nice) (?:job|work|one|stuff)|well done|fair enough",
        r"all (?:good|clear)|never ?mind|(?:that |it )?works(?: for me)?|(?:ha){2,}h?|(?:he){2,}|lol|lmao|hm+|mhm|aha|👍",
        r"alles (?:klar|gut)|verstanden|(?:ich )?verstehe|gut|sehr gut|prima|toll",
        r"perfekt|wunderbar|passt|in ordnung|klingt gut|gut zu wissen|ach ?so",
        r"vale|de acuerdo|entendido|entiendo|perfecto|genial|estupendo",
        r"(?:muy |esta |que )?bien|bueno|excelente|listo|ya veo",
        r"daccord|(?:jai )?compris|je (?:comprends|vois)|parfait|tres bien|entendu|ca marche|bien recu|nickel|impeccable",
        r"cest (?:bon|parfait|clair|note|super|compris|genial)",
        r"(?:好的|好吧|好啊|好|嗯|哦|噢|明白|明白了|我明白了|知道了|我知道了|了解|了解了|懂了|收到|太好了|很好|不错|太棒了|厉害|哈|没问题)",
    ),
}
# Say nothing by themselves, and change nothing.
_FILLERS: Sequence[str] = (
    r"so|very|very much|and|then|now|for now|oh|ah|well|just|really|again",
    r"there|my|dear|friend|buddy|mate|pal|dude|man|bro|sir|ai|bot|assistant",
    r"all|everyone|everybody|guys|folks|team|today|this morning|too|i (?:just )?want(?:ed)? to say|let me say",
    r"und|dann|nochmal|auch|ach|sehr|heute|hoy|otra vez|tambien|amigo",
    r"amiga|y|et|alors|encore|tout le monde|mon amie?|monsieur|madame",
    r"(?:啊|呀|啦|吧|哦|了|太|非常|十分|真的|朋友)",
)
_LONGEST = 120  # characters; longer turns have something to say

_EMOJI = re.compile("[👍👌🙏👋😊🙂😀😃😄😁😂🤣😉🤗🥰😍🙌👏💯🎉✨❤♥✅][\U0001f3fb-\U0001f3ff\ufe0f]*")
_SMILEY = re.compile(r"(?<!\w)[:;=]-?[)(DP](?!\w)")
_APOSTROPHE = re.compile("['’‘`´]")
_PUNCTUATION = re.compile(r"[\s.,!?…~\-–—\"“”„;、。！？，～¡¿]+")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_GAP = re.compile(" ")
_HAN = re.compile("([\u4e00-\u9fff])")


def _compiled(phrases: Sequence[str]) -> re.Pattern[str]:
    """Any of `phrases`, every word and every Chinese character followed by a space."""
    words = "|".join(phrase for phrase in phrases if not _HAN.search(phrase))
    chinese = "|".join(_HAN.sub(r"\1 ", phrase) for phrase in phrases if _HAN.search(phrase))
    return re.compile(rf"(?:{words}) |(?:{chinese})")


_CORE = {sort: _compiled(phrases) for sort, phrases in _PHRASES.items()}
_FILLER = _compiled(_FILLERS)


@dataclass(frozen=True)
class SmallTalk(Gate):
    """Stops retrieval for a turn that consists of small talk alone, by its wording and without a model.

    Bare answers (yes, no, sure) are no small talk: what they mean stands in the conversation. A turn that names keys
    always retrieves. There is no paper behind it; `benchmarks/small_talk.py` measures how many real questions it stops
    and how much small talk it catches. Cost: tens of microseconds a turn.
    """

    name: ClassVar[str] = "small_talk"

    def decide(self, turns: Sequence[Turn]) -> list[Decision]:
        return [_decision(turn) for turn in turns]


def _decision(turn: Turn) -> Decision:
    if turn.keys:
        return Decision(True, "records are asked for by name")
    sorts = _sorts(_plain(turn.query))
    if not sorts:
        return Decision(True, "more than small talk")
    return Decision(False, f"small talk ({', '.join(sorts)}): nothing to look up")


def _plain(text: str) -> str:
    """Words in lower case without accents, each followed by a space; empty when the text holds anything that small talk does not."""
    if len(text) > _LONGEST:
        return ""
    text = unicodedata.normalize("NFKD", _SMILEY.sub(" 👍 ", _EMOJI.sub(" 👍 ", text)).casefold())
    text = "".join(char for char in text if unicodedata.category(char) != "Mn")
    text = _PUNCTUATION.sub(" ", _APOSTROPHE.sub("", text)).strip()
    if not all(char.isalpha() or char in " 👍" for char in text):
        return ""
    return " ".join(_HAN.sub(r" \1 ", _STRETCHED.sub(r"\1", text)).split()) + " "


def _sorts(text: str) -> tuple[str, ...]:
    """Which sorts of small talk make up the whole of `text`; empty when some of it is something else."""
    if not text.strip():
        return ()
    # What of the text can be accounted for: each reachable end with the sorts on one way there. Phrases overlap
    # ("thank you", "thank you very much"), so every end of every phrase counts, not the longest alone.
    ways: dict[int, frozenset[str]] = {0: frozenset()}
    for start in range(len(text)):
        if start not in ways:
            continue
        for sort, pattern in (*_CORE.items(), ("", _FILLER)):
            for end in _ends(pattern, text, start):
                found = ways[start] | ({sort} if sort else frozenset())
                if len(found) > len(ways.get(end, ())) or end not in ways:
                    ways[end] = found
    return tuple(sort for sort in _CORE if sort in ways.get(len(text), ()))


def _ends(pattern: re.Pattern[str], text: str, start: int) -> list[int]:
    """Every place where a match of `pattern` from `start` on can end."""
    if not pattern.match(text, start):
        return []
    return [gap.end() for gap in _GAP.finditer(text, start) if pattern.fullmatch(text, start, gap.end())]
