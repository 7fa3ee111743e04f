"""What a loader left out, counted and named."""

from common.data.skipped import NUM_PLACES, Skipped, format_report


def make_skipped(reason, *places):
    skipped = Skipped()
    for place in places:
        skipped.add(reason, place)
    return skipped


def test_the_first_places_are_named_and_all_are_counted():
    places = [f"a.txt:{k}" for k in range(NUM_PLACES + 2)]
    report = make_skipped("empty", *places).report()
    assert report == {
        "empty": {"count": NUM_PLACES + 2, "first": places[:NUM_PLACES]}
    }
    assert format_report(report) == [
        f"skipped: 7 (empty): {', '.join(places[:NUM_PLACES])}, ..."
    ]


def test_one_takes_up_what_another_noted():
    skipped = make_skipped("empty", "a:1", "a:2")
    skipped.update(make_skipped("empty", *[f"b:{k}" for k in range(4)]))
    skipped.update(make_skipped("broken", "c.jpg"))
    assert skipped.report() == {
        "empty": {"count": 6, "first": ["a:1", "a:2", "b:0", "b:1", "b:2"]},
        "broken": {"count": 1, "first": ["c.jpg"]},
    }


def test_nothing_left_out_says_nothing():
    assert format_report(Skipped().report()) == []


def test_names_of_skipped_files_cannot_steer_a_terminal():
    left_out = Skipped()
    left_out.add("no caption", "\x1b[2Jm\udce4\n.png")
    assert format_report(left_out.report()) == [
        r"skipped: 1 (no caption): \x1b[2Jm\udce4\n.png"
    ]
