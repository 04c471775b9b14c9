# SPDX-License-Identifier: Apache-2.0
"""Made-up complaints whose truth is known, for the tests of the text sums."""

import numpy as np

COMMON = (  # noqa: SIM905 - a list of sixty quoted words would only be longer
    "i we they said told called office again week letter waited asked answer nobody phone still case please help "
    "time day month since after before because never always form number person desk line website message reply"
).split()
TOPICS = {
    "lost document": "passport birth certificate scan original envelope missing misplaced lost upload photocopy folder",
    "late payment": "benefit payment overdue arrears bank transfer instalment rent late paid amount weekly",
    "rude staff": "rude shouted insulted manner attitude clerk disrespect sneered hung laughed tone voice",
    "wrong decision": "refused eligibility appeal decision evidence ruling tribunal reasons rejected criteria grounds",
}
NEW_TOPIC = "kiosk screen froze scanner touch machine reboot ticket barcode lobby terminal error"


def letter(topic: str, rng: np.random.Generator, *, words: int = 60, on_topic: float = 0.25) -> str:
    """Return a complaint: common words with words of its topic between them."""
    own = topic.split()
    return " ".join(str(rng.choice(own if rng.random() < on_topic else COMMON)) for _ in range(words))


def labelled(per_label: int, seed: int, *, on_topic: float = 0.25) -> tuple[list[str], list[str]]:
    """Return complaints and their labels, mixed."""
    rng = np.random.default_rng(seed)
    labels = [label for label in TOPICS for _ in range(per_label)]
    rng.shuffle(labels)
    return [letter(TOPICS[label], rng, on_topic=on_topic) for label in labels], labels
