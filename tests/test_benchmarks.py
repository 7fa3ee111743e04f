import json

import pytest


@pytest.mark.slow
def test_the_benchmark_compares_side_by_side(command, tmp_path):
    done = command(
        "benchmarks.lstm",
        *["--rounds", "1", "--shapes", "2,3,4,5", "--json", "out.json"],
        *["--contenders", "common", "keras graph"],
    )
    assert "batch, time, features, units = 2, 3, 4, 5" in done.stdout
    results = json.loads((tmp_path / "out.json").read_text())
    rows = results["shapes"][0]["results"]
    assert rows["common"]["kernel"] == "fused"
    for row in rows.values():
        assert 0 < row["train"]["min"] <= row["train"]["median"]
        assert row["memory_mib"] > 100
