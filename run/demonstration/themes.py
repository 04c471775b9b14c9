# SPDX-License-Identifier: Apache-2.0
"""What people complain of in the demonstration agency: each theme with its causes, its season and its words.

Codes are those of the default policy (policy/). All people, streets and sums are made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ALL_YEAR: Final = (1.0,) * 12
WINTER: Final = (2.2, 2.0, 1.6, 0.9, 0.6, 0.5, 0.5, 0.5, 0.6, 0.8, 1.2, 1.8)
SUMMER: Final = (0.6, 0.6, 0.8, 1.0, 1.2, 1.5, 1.6, 1.4, 1.1, 0.9, 0.7, 0.6)
SPRING: Final = (0.8, 0.9, 1.3, 1.5, 1.5, 1.2, 0.9, 0.8, 0.8, 0.8, 0.7, 0.7)


@dataclass(frozen=True, slots=True)
class Theme:
    """One kind of complaint."""

    service: str
    category: str
    """What the complainant says (an intake row of policy/taxonomy.csv)."""
    failure: str
    """What is mostly found behind it."""
    cause: str
    weight: float
    """Complaints a week in the whole agency, on average."""
    english: tuple[str, ...]
    spanish: str
    remedy: str
    """What was done about it, in the answer's words."""
    months: tuple[float, ...] = ALL_YEAR
    severity: int = 1
    is_money: bool = False


THEMES: Final = (
    Theme(
        "benefits", "too_slow", "TIM1", "CAP", 6.0,
        ("I applied for food help {weeks} weeks ago and there is still no decision. The letter said 30 days.",
         "My heating help was due {weeks} weeks ago. Every time I ask, I am told it is being processed.",
         "We sent the yearly review on time. {weeks} weeks later it still says received."),
        "Solicité ayuda para alimentos hace {weeks} semanas y todavía no hay decisión.",
        "Your application was taken out of the queue and decided on the same day.", ALL_YEAR, 2,
    ),
    Theme(
        "benefits", "wrong_decision", "ACU2", "DAT", 4.0,
        ("My payment is {amount} short this month and nobody can tell me why.",
         "You counted my daughter's summer job as if it were for the whole year. It costs us {amount} a month.",
         "The amount on the notice and the amount on the card differ by {amount}."),
        "Este mes me pagaron {amount} menos y nadie me explica por qué.",
        "We recalculated your payment and sent what was missing.", ALL_YEAR, 2, is_money=True,
    ),
    Theme(
        "benefits", "cannot_reach", "ACC2", "CAP", 5.0,
        ("I called {times} times this week. Each time I waited over forty minutes and was cut off.",
         "The call-back you offered never came. I took two mornings off work for it.",
         "Nobody picks up at {office}. The recording says to call later, and later it says the same."),
        "Llamé {times} veces esta semana y siempre se corta después de cuarenta minutos.",
        "We called you back, settled the question, and gave you a direct number.", ALL_YEAR,
    ),
    Theme(
        "benefits", "lost", "HND3", "PRO", 1.6,
        ("I handed in my pay slips at {office} and have the stamped copy. Now you say they never arrived.",
         "This is the second time that you have lost my rent receipts."),
        "Entregué mis recibos de sueldo en {office} y ahora dicen que nunca llegaron.",
        "Your stamped copy was accepted, and the papers were found in the tray of another unit.", severity=2,
    ),
    Theme(
        "benefits", "wrong_information", "INF1", "PEO", 2.2,
        ("At {office} I was told that I need not report the new address. Now I have a notice for {amount}.",
         "Two people told me two different things about the income limit, and the website says a third."),
        "En {office} me dieron información equivocada y ahora debo {amount}.",
        "You were told something wrong; the notice has been withdrawn.",
    ),
    Theme(
        "benefits", "barrier", "ACC4", "POL", 1.4,
        ("My mother speaks no English. The interpreter that was promised for {when} was not there.",
         "The form cannot be filled in with a screen reader. I had to ask a neighbor to read out my income."),
        "Pedí un intérprete para {when} y no había nadie. Tuve que traer a mi hijo de doce años.",
        "An interpreter was booked and the appointment held within the week.",
    ),
    Theme(
        "permits", "too_slow", "TIM2", "CAP", 3.2,
        ("My deck permit has not moved for {weeks} weeks. The contractor is about to leave.",
         "The inspection was put off {times} times. The kitchen has been without a floor since {when}."),
        "Mi permiso de construcción lleva {weeks} semanas sin moverse.",
        "A reviewer was assigned and the permit was decided.", SPRING, 2,
    ),
    Theme(
        "permits", "website", "DES3", "TEC", 2.0,
        ("The permit site throws away everything when I attach the second drawing.",
         "I paid the {amount} fee online, got an error, and was charged twice."),
        "El sitio de permisos borra todo cuando adjunto el segundo plano.",
        "We took the drawings by e-mail and returned the second charge.", is_money=True,
    ),
    Theme(
        "permits", "passed_around", "HND2", "PRO", 1.8,
        ("Zoning sent me to Fire, Fire sent me to {office}, and {office} sent me back to Zoning.",
         "For a food cart I need five signatures, and each desk wants the other one first."),
        "Me mandaron de una oficina a otra {times} veces para un solo permiso.",
        "One person took the application through all the desks.",
    ),
    Theme(
        "permits", "wrong_information", "INF5", "DAT", 1.2,
        ("The checklist on your site is from two years ago. I bought the wrong fire door because of it.",),
        "La lista de requisitos en su sitio es de hace dos años.",
        "The checklist was replaced and the old door accepted.",
    ),
    Theme(
        "housing", "needs_repair", "TIM2", "CAP", 5.0,
        ("The kitchen tap at {street} has been leaking for {weeks} weeks. Two visits were booked, nobody came.",
         "The elevator at {street} has been out since {when}. My father is on the sixth floor.",
         "There is damp behind the wardrobe and the work order says completed. It is not."),
        "El grifo de la cocina en {street} gotea desde hace {weeks} semanas.",
        "The repair was done and checked by telephone the day after.", WINTER, 2,
    ),
    Theme(
        "housing", "too_slow", "TIM3", "PAR", 2.2,
        ("Our rent help renewal waits for a letter from the county, you say. It has waited {weeks} weeks.",
         "The landlord will not wait any longer for your payment for {when}."),
        "Nuestra renovación lleva {weeks} semanas esperando una carta del condado.",
        "We obtained the county's letter ourselves and paid the arrears.", ALL_YEAR, 2,
    ),
    Theme(
        "housing", "not_told", "INF4", "PRO", 2.0,
        ("I learned from my landlord, not from you, that the renewal had been refused.",
         "The notice went to the address that I left {weeks} weeks ago, though you have the new one."),
        "Supe por el dueño, no por ustedes, que la renovación fue rechazada.",
        "The notice was sent again to the right address, with a new date to answer.",
    ),
    Theme(
        "housing", "lost", "HND3", "PRO", 1.0,
        ("I left my renewal papers at {office} on {when}, and now they cannot be found.",
         "My renewal went from {office} to Central Office and vanished on the way."),
        "Dejé los papeles de mi renovación en {office} y ahora no aparecen.",
        "The renewal was rebuilt from your copies and the rent help paid without a gap.", severity=2,
    ),
    Theme(
        "housing", "treated_badly", "CON1", "PEO", 1.1,
        ("The man at the counter of {office} laughed when I asked about the renewal.",
         "I was told to come back when I had learned to read the form."),
        "En {office} me hablaron mal delante de todos.",
        "The head of the office apologized to you in person.", severity=2,
    ),
    Theme(
        "records", "wrong_decision", "ACU1", "DAT", 2.0,
        ("My son's birth record has our name misspelled, though the hospital form is right.",
         "The copy you sent is of somebody with a similar name."),
        "El acta de nacimiento de mi hijo tiene mal escrito el apellido.",
        "The record was corrected and a new copy sent without a fee.",
    ),
    Theme(
        "records", "too_slow", "TIM1", "CAP", 2.4,
        ("I need the marriage record for a visa. You promised ten days, it has been {weeks} weeks.",
         "The death record of my uncle is still not there, and the bank waits for it."),
        "Necesito el acta de matrimonio y ya pasaron {weeks} semanas.",
        "The copy was printed at the counter and handed over.", SUMMER,
    ),
    Theme(
        "records", "too_hard", "HND4", "POL", 1.5,
        ("To get a copy of a record that you keep, I must bring a copy of the record.",
         "I sent the same proof of address {times} times to the same office."),
        "Mandé el mismo comprobante de domicilio {times} veces.",
        "We looked the proof up in our own files.",
    ),
    Theme(
        "records", "privacy", "CON4", "PRO", 0.5,
        ("In the envelope with my copy there was the record of another family.",),
        "En el sobre con mi copia venía el acta de otra familia.",
        "Both families were told, and the way copies are packed was changed.", severity=2,
    ),
    Theme(
        "streets", "needs_repair", "TIM1", "CAP", 6.5,
        ("The pothole at {street} has grown for {weeks} weeks. Two cyclists have fallen.",
         "The street light in front of {street} has been out since {when}.",
         "The sidewalk at {street} is broken, and my walker gets stuck in it."),
        "El bache en {street} lleva {weeks} semanas y ya se cayeron dos ciclistas.",
        "The crew repaired it and sent us a photograph.", WINTER,
    ),
    Theme(
        "streets", "not_told", "TIM4", "PRO", 2.0,
        ("You promised a date for the sign at {street}. The date has passed and nobody wrote.",
         "My report was closed with the words 'work done'. No work was done."),
        "Me prometieron una fecha para la señal en {street} y nadie escribió.",
        "The work was done, and you were called before the report was closed.",
    ),
    Theme(
        "streets", "unsafe", "DES5", "CAP", 0.7,
        ("Exposed wires hang from the lamp post at {street}, next to the school.",
         "The railing of the footbridge at {street} is loose and dangerous for children."),
        "Hay cables sueltos en el poste de {street}, junto a la escuela.",
        "The place was closed off within the hour and repaired the same day.", ALL_YEAR, 3,
    ),
    Theme(
        "parking", "wrong_decision", "ACU3", "POL", 3.4,
        ("I was fined {amount} on {when} at {street}, where the sign is hidden behind a tree.",
         "The ticket is for a car that I sold {weeks} weeks before."),
        "Me multaron con {amount} en {street}, donde no hay señal.",
        "The fine was dropped.", ALL_YEAR, is_money=True,
    ),
    Theme(
        "parking", "wrong_decision", "ACU4", "PEO", 1.5,
        ("I sent photographs with my dispute. The refusal does not mention them at all.",),
        "Mandé fotos con mi reclamo y la respuesta ni las menciona.",
        "The photographs were looked at, and the decision was changed.",
    ),
    Theme(
        "parking", "treated_badly", "CON1", "PEO", 0.8,
        ("The tow driver shouted at my wife and threw her bag on the street.",),
        "El chofer de la grúa le gritó a mi esposa.",
        "The company apologized, and the driver was taken off the route.", severity=2,
    ),
    Theme(
        "parking", "website", "DES3", "TEC", 1.2,
        ("The payment page refuses my card and then adds a late fee of {amount}.",),
        "La página de pagos rechaza mi tarjeta y luego cobra recargo.",
        "The late fee was taken back.", is_money=True,
    ),
)  # fmt: skip

RENEWALS_LOST: Final = Theme(
    "housing", "lost", "HND3", "PRO", 10.0,
    ("I handed in my housing renewal at {office} on {when}. Now Central Office says that nothing came from there.",
     "All our renewal papers were in the envelope that {office} sends to Central Office. It never got there.",
     "{office} says they passed my renewal on, Central says they never had it, and my rent help has stopped.",
     "My neighbor and I both renewed at {office} in the same week, and both our files are gone."),
    "Entregué mi renovación de vivienda en {office} y Central dice que nunca llegó.",
    "Your renewal was rebuilt from your copies, and the rent help goes on without a gap.", ALL_YEAR, 2,
)  # fmt: skip
NOTICES_ASTRAY: Final = Theme(
    "benefits", "not_told", "INF4", "TEC", 5.0,
    ("I told {office} my new address {weeks} weeks ago. Your notice still went to the old one, and I missed the date.",
     "My benefits were stopped because I did not answer a notice. It was sent to a house I left long ago.",
     "I changed my address at the counter in {office}. The letters still go to my old neighbor.",
     "You say you wrote to me {times} times. Nothing came: {office} has the right address, your letters do not."),
    "Avisé de mi nueva dirección en {office} y las cartas siguen llegando a la anterior.",
    "The notice was sent to the right address, with a new date to answer, and your benefits were paid for the gap.",
    ALL_YEAR, 2,
)  # fmt: skip
DESK_AFTER_DESK: Final = Theme(
    "permits", "passed_around", "HND2", "PRO", 8.0,
    ("{office} took my plans and sent them to the fire marshal. They belong to zoning. {weeks} weeks are gone.",
     "My sign permit was put in the wrong tray at {office} and came back unread after {weeks} weeks.",
     "By now my application went {times} times from {office} to desks that cannot decide it.",
     "The desk that got my papers from {office} says it has nothing to do with them."),
    "En {office} mandaron mis planos a una oficina que no puede decidir.",
    "The application was taken to the right desk by hand, and decided.", ALL_YEAR, 2,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planting:
    """A failure of its own in the story, over and above the ordinary; days are counted back from the story's last."""

    theme: Theme
    office: str
    flares_days_ago: int
    """When so much more of it comes that it is noticed."""
    flares_for_days: int = 28
    flares_times: float = 6.0
    is_standing: bool = True
    """Whether it was there all the years."""
    changed_days_ago: int = 0
    """When what was to put an end to it was in place; 0: nothing was."""
    left_after: float = 1.0
    """How much of it is left after that, as a share."""

    def share(self, days_ago: int) -> float:
        """Return how many times the theme's weight come in on a day."""
        if days_ago < self.changed_days_ago:
            return self.left_after
        if self.flares_days_ago - self.flares_for_days < days_ago <= self.flares_days_ago:
            return self.flares_times
        return 1.0 if self.is_standing else 0.0


RECENT: Final = Planting(RENEWALS_LOST, "harbor", 52, flares_for_days=52, flares_times=1.0, is_standing=False)
"""What goes wrong in the last weeks: renewals are lost between an office and the next. It waits to be decided on."""
MENDED: Final = Planting(NOTICES_ASTRAY, "eastside", 7 * 80, changed_days_ago=7 * 26, left_after=0.15)
"""Notices go to old addresses, until two registers are joined. What else its service is complained of has no season
either: beside what has one, changes that never were would seem to work too, on some days of the year."""
UNCHANGED: Final = Planting(DESK_AFTER_DESK, "northgate", 7 * 64, changed_days_ago=7 * 32, left_after=1.6)
"""Papers go from desk to desk, and with a checklist more than before."""
PLANTINGS: Final = (MENDED, UNCHANGED, RECENT)
