"""Small data as people bring them: support tickets, dates, pictures."""

import csv
import datetime
import random
from pathlib import Path
from typing import NamedTuple

from apps.captioning.datasets import builtin

NUM_TEST = 2_000  # Tickets.
NUM_NEW = 300  # Pairs of dates.
WORDS = {
    "billing": "invoice charged twice refund payment card amount overcharged"
    " receipt subscription fee price discount bank statement tax",
    "login": "password reset login locked account email code authentication"
    " sign username two-factor verify session expired credentials",
    "shipping": "package delivery courier tracking arrived late address parcel"
    " lost warehouse shipped customs damaged box postal",
    "bug": "crash error screen freezes bug button exception slow update"
    " version blank loading fails app broken log",
    "feature": "feature request add support dark mode export option wish"
    " would-be-nice integration calendar shortcut widget language plugin"
    " improvement",
    "cancel": "cancel membership terminate contract close unsubscribe stop"
    " renewal leave ending notice quit deactivate delete plan downgrade",
    "hardware": "battery screen keyboard charger cable overheats fan noise"
    " laptop hinge broken camera microphone port replacement warranty",
    "praise": "thanks great love awesome team helpful wonderful support"
    " excellent happy perfect amazing quick friendly brilliant",
}
FILL = (
    "hello hi dear team please i my the a an on since yesterday today last week"
    " could you can help me with this it is was has been still again very"
    " really urgent thank regards customer order number product service your"
    " our we they when after before because and but now not working need want"
    " get got have do does tell know what why how"
)
NAMES = "anna ben carla dmitri erin faisal grace hugo ines jonas"
FORMATS = ["%d %B %Y", "%B %d, %Y", "%d %b %Y", "%A, %d %B %Y", "%d.%m.%Y"]
FORMATS += ["%m/%d/%Y"]


class Tickets(NamedTuple):
    """A set of tickets.

    Attributes:
        name: of the set.
        rows: to train on; each class has three at least.
        topics: the classes, keys of `WORDS`.
        weights: how frequent they are.
        seed: of everything.
        cross: share of sentences with a word of any class.
        length: factor on the words of a sentence that tell nothing.
    """

    name: str
    rows: int
    topics: list[str]
    weights: list[int]
    seed: int
    cross: float = 0.1
    length: float = 1.0


_ALL = list(WORDS)
TICKETS = [
    Tickets("300 rows, 3 classes", 300, _ALL[:3], [1, 1, 1], 1),
    Tickets("200 rows, 2 classes", 200, ["billing", "praise"], [1, 1], 2),
    Tickets(
        "1,000 rows, 8 classes",
        *(1_000, _ALL, [30, 20, 15, 10, 10, 8, 4, 3], 3),
    ),
    Tickets(
        "500 rows, 4 classes",
        *(500, ["login", "bug", "cancel", "praise"], [50, 30, 15, 5], 4),
        *(0.15, 3.0),
    ),
    Tickets(
        "200 rows, 5 classes", 200, _ALL[:5], [50, 25, 15, 5, 5], 5, cross=0.05
    ),
    Tickets("600 rows, 6 classes", 600, _ALL[:6], [1] * 6, 6, 0.2, 2.0),
]


def write_tickets(folder: Path, tickets: Tickets) -> None:
    """Writes `train.csv`, and `test.csv` with 2,000 new rows."""
    rng = random.Random(tickets.seed)
    for split, num_rows in (("train", tickets.rows), ("test", NUM_TEST)):
        labels = rng.choices(tickets.topics, tickets.weights, k=num_rows)
        if split == "train":
            labels[: 3 * len(tickets.topics)] = tickets.topics * 3
            rng.shuffle(labels)
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "label"])
            rows.writerows([_ticket(rng, x, tickets), x] for x in labels)


def _ticket(rng: random.Random, topic: str, tickets: Tickets) -> str:
    sentences = (
        _sentence(rng, topic, tickets) for _ in range(rng.randint(1, 4))
    )
    return " ".join(sentences)


def _sentence(rng: random.Random, topic: str, tickets: Tickets) -> str:
    num_fill = int(rng.randint(2, 7) * tickets.length)
    words = [rng.choice(FILL.split()) for _ in range(num_fill)]
    topics = [topic] * rng.randint(1, 2)
    if rng.random() < tickets.cross:
        topics.append(rng.choice(tickets.topics))
    for name in topics:
        place = rng.randint(0, len(words))
        words.insert(place, rng.choice(WORDS[name].split()))
    if rng.random() < 0.2:
        words.append(str(rng.randint(100, 9999)))
    if rng.random() < 0.2:
        words.append(rng.choice(NAMES.split()))
    return " ".join(words).capitalize() + rng.choice([".", "!", "?", ""])


def write_dates(folder: Path, num_pairs: int = 200, seed: int = 1) -> None:
    """Writes `pairs.tsv`, dates and their ISO form, and 300 in `new.tsv`."""
    rng = random.Random(seed)
    first = datetime.date(1950, 1, 1)
    pairs: dict[str, str] = {}
    while len(pairs) < num_pairs + NUM_NEW:
        day = first + datetime.timedelta(days=rng.randrange(80 * 365))
        pairs[day.strftime(rng.choice(FORMATS))] = day.isoformat()
    lines = [f"{source}\t{target}\n" for source, target in pairs.items()]
    (folder / "pairs.tsv").write_text("".join(lines[:num_pairs]))
    (folder / "new.tsv").write_text("".join(lines[num_pairs:]))


def write_pictures(folder: Path, num_pictures: int = 20, seed: int = 5) -> None:
    """Writes generated scenes with two captions each, as Flickr8k has them."""
    (folder / "images").mkdir()
    lines = ["image,caption"]
    for k, scene in enumerate(builtin.generate("train", num_pictures, seed)):
        (folder / "images" / f"{k:03}.png").write_bytes(scene.png)
        lines += [f"{k:03}.png,{caption}" for caption in scene.captions[:2]]
    (folder / "captions.txt").write_text("\n".join(lines) + "\n")
