"""Long trials of what the project promises: `python -m tests.soak kill`, `fuzz`, `flags`, `memory`, `terminal` and
`study`.

`tests/test_soak.py` runs a quick part of each.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' own modules, where pytest does not run this
