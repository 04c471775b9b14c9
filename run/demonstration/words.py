# SPDX-License-Identifier: Apache-2.0
"""Words of the demonstration: names, streets, and how complaints and answers are put. Everything is made up."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from run.demonstration.themes import Theme

SPANISH_SHARE: Final = 0.09
_FIRST: Final = (
    "Ada", "Alma", "Amir", "Bea", "Caleb", "Carmen", "Chi", "Dara", "Diego", "Elena", "Emeka", "Farah", "George",
    "Hana", "Ines", "Ivan", "Jamal", "Joan", "Kofi", "Lena", "Luis", "Mei", "Miriam", "Nadia", "Noor", "Omar", "Paula",
    "Quinn", "Rosa", "Ruth", "Samir", "Sofia", "Tariq", "Uma", "Vera", "Walter", "Ximena", "Yusuf", "Zoe",
)  # fmt: skip
_LAST: Final = (
    "Abara", "Alder", "Bloom", "Castillo", "Cho", "Delgado", "Egan", "Farrow", "Fuentes", "Grove", "Haddad", "Ibarra",
    "Jarvis", "Kaplan", "Khan", "Larsen", "Lowe", "Medina", "Nguyen", "Okafor", "Pell", "Quist", "Ramos", "Reyes",
    "Sato", "Stone", "Tran", "Underhill", "Vance", "Weiss", "Yoder", "Zamora",
)  # fmt: skip
_STREETS: Final = (
    "Alder Lane", "Bridge Street", "Canal Road", "Dock Street", "Elm Court", "Ferry Road", "Garden Street",
    "High Street",
    "Kiln Lane", "Locust Avenue", "Mill Road", "North Street", "Orchard Way", "Pier Street", "Quarry Road",
    "School Lane",
)  # fmt: skip
_MONTHS: Final = ("January", "March", "May", "July", "September", "November")
_OPENINGS: Final = (
    "", "", "Hello. ", "To whom it may concern: ", "I am writing for my family. ", "I hope that you can help me. ",
    "This is the second time I write. ", "I do not like to complain. ", "Please read this. ",
)  # fmt: skip
_DETAILS: Final = (
    "", "I have kept copies of everything.", "I took time off work for this.", "I am {age} years old and live alone.",
    "My number with you has not changed in years.", "I have been patient.", "Other people in the line said the same.",
    "The person I spoke with was kind, but could do nothing.", "I have children and cannot wait in line again.",
    "I asked for a supervisor and was given a leaflet.", "It was raining and the door was shut.",
)  # fmt: skip
_CLOSINGS: Final = (
    "", "Please put it right.", "I would like an answer in writing.", "Somebody should look at this.",
    "What happens now?", "I only want what I was promised.", "Thank you for reading this.",
)  # fmt: skip
_SPANISH_CLOSINGS: Final = (
    "",
    "Por favor, arréglenlo.",
    "Quisiera una respuesta por escrito.",
    "Gracias por su atención.",
)
_WANTED: Final = (
    "",
    "",
    "A decision, in writing.",
    "That it is put right.",
    "An apology.",
    "That it does not happen to others.",
)
_NOTES: Final = (
    "Telephoned; no reply, left a message.", "Spoke with the complainant; nothing has changed.",
    "Asked {office} for the file.", "File received and read.", "Spoke with the colleague who dealt with it.",
    "Looked at the log of that day.", "The office confirms the dates.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up complainant; without a name they stay anonymous."""

    name: str = ""
    email: str = ""
    phone: str = ""

    @property
    def contact(self) -> dict[str, str]:
        """Return what is known of them."""
        known = {"name": self.name, "email": self.email, "phone": self.phone}
        return {part: value for part, value in known.items() if value}


def a_person(chance: Random) -> Person:
    """Return somebody; one in five stays anonymous, and not all who are named can be written to."""
    drawn = chance.random()
    if drawn < 0.2:  # noqa: PLR2004 - a share
        return Person()
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    phone = f"555-01{chance.randrange(100):02d}"
    has_email = drawn < 0.85  # noqa: PLR2004 - a share
    return Person(f"{first} {last}", f"{first}.{last}@mail.example".lower() if has_email else "", phone)


def a_narrative(chance: Random, theme: Theme, office: str, language: str) -> str:
    """Return what somebody writes about a theme."""
    said = {
        "weeks": chance.randint(3, 14),
        "times": chance.choice(("three", "four", "five", "six")) if language == "en" else str(chance.randint(3, 6)),
        "amount": f"${chance.randint(18, 420)}",
        "office": office,
        "street": f"{chance.randint(2, 240)} {chance.choice(_STREETS)}",
        "when": f"{chance.choice(_MONTHS)} {chance.randint(1, 28)}" if language == "en" else "el lunes",
        "age": chance.randint(19, 88),
    }
    if language == "es":
        parts = [theme.spanish, chance.choice(_SPANISH_CLOSINGS)]
    else:
        parts = [
            chance.choice(_OPENINGS) + chance.choice(theme.english),
            chance.choice(_DETAILS),
            chance.choice(_CLOSINGS),
        ]
    return " ".join(part for part in parts if part).format(**said)


def a_wish(chance: Random, language: str) -> str:
    """Return what the complainant wants, if they say it."""
    return chance.choice(_WANTED) if language == "en" else ""


def a_note(chance: Random, office: str) -> str:
    """Return what a caseworker notes on the way."""
    return chance.choice(_NOTES).format(office=office)


def acknowledgement(owner: str, theme: Theme) -> str:
    """Return the personal acknowledgement."""
    return (
        f"My name is {owner.capitalize()} and I am looking into your complaint. As I understand it, it is about "
        f"{theme.service} and that {_CORE[theme.category]}. Please tell me if I have that wrong."
    )


def question(theme: Theme) -> str:
    """Return the one question to the complainant."""
    return f"To go on I need one thing from you: {_QUESTIONS.get(theme.service, 'the date on which it happened')}."


def reply(chance: Random) -> str:
    """Return what the complainant answers."""
    return chance.choice(
        (
            "Here it is, attached to my e-mail.",
            "It was in the first week of the month.",
            "I read it out on the telephone.",
        )
    )


NO_REPLY: Final = "No reply came. We go on with what we have."


def answer(theme: Theme, finding: str) -> str:
    """Return the answer's text."""
    return {
        "upheld": f"You were right, and we are sorry. {theme.remedy}",
        "partly_upheld": f"In part you were right, and we are sorry for that part. {theme.remedy}",
        "not_upheld": "We looked into it and found that it was done as the rules ask. The reasons are set out below.",
    }.get(finding, "We could not find out what happened on that day. We are sorry that we cannot say more.")


_CORE: Final = {
    "too_slow": "it takes too long",
    "wrong_decision": "the decision or the amount is wrong",
    "cannot_reach": "you could not reach anyone",
    "lost": "your papers were lost",
    "wrong_information": "you were told something wrong",
    "barrier": "you could not use the service as others can",
    "website": "the website did not work",
    "passed_around": "you were sent from desk to desk",
    "needs_repair": "something is broken and not repaired",
    "not_told": "nobody told you what was happening",
    "treated_badly": "you were treated badly",
    "too_hard": "too much is asked of you",
    "privacy": "private papers went to the wrong people",
    "unsafe": "something is unsafe",
}
_QUESTIONS: Final = {
    "benefits": "a copy of the letter that you received",
    "permits": "the number of your application",
    "housing": "the date on which you handed in the papers",
    "records": "the full name as it stands on the hospital form",
    "parking": "a photograph of the place",
}
