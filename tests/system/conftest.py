import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from house import House  # noqa: E402


@pytest.fixture
def make_house(tmp_path):
    """make_house(...) as House(...), each in a folder of its own; all are closed at the end."""
    made = []

    def make(**options):
        folder = tmp_path / f"house{len(made)}"
        folder.mkdir()
        made.append(House(folder, **options))
        return made[-1]

    yield make
    for one in reversed(made):
        one.close()


@pytest.fixture
def house(make_house):
    """A house in front of the example application, serving."""
    one = make_house()
    one.init(one.example())
    return one.serve()
