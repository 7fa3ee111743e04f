"""Application templates, one folder for each RNN task topology.

Every app has the same files: `config.py` (all options), `data.py` (examples
from any source), `model.py` (the network), `train.py`, `evaluate.py`,
`predict.py` and `export.py` (the four commands), and a README. An app imports
`common` and itself, never another app: copy the folder and it is yours.
"""
