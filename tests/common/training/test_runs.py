import pytest

from common.errors import UserError
from common.training import runs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected best, it has no best"),
        ('{"best": []}', r"best is \[\], expected dict"),
        ('{"best": {}}', "expected a number as epoch of the best epoch, got n"),
        ('{"best": {"epoch": 1}}', "a number as val_loss .* got null"),
        ('{"best": {"epoch": 1, "val_loss": "x"}}', 'a number as .* got "x"'),
    ],
)
def test_metrics_that_are_none(tmp_path, text, message):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=f"metrics.json: .*{message}"):
        runs.read_best(tmp_path, "val_loss")
    (tmp_path / "metrics.json").write_text('{"best": {"epoch": 1, "a": 2.5}}')
    assert runs.read_best(tmp_path, "a") == {"epoch": 1, "a": 2.5}
